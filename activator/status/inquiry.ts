import type { RevisionWaits } from '#bus/messages.ts';
import type { Waiter } from '../gate/gate.ts';
import { NamedRequests, type Outcome } from './named.ts';
import { NO_OTHERS, type OtherPlanes } from './other-planes.ts';
import type { RevisionRoute } from '../routes.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import { makeStatus, type Status } from './status.ts';
import { waitsOf } from './waits.ts';

const PARTIAL = { partial: true } as const;

/** Who asks, and for which request: one of its own, or ''. */
export interface Asker {
  readonly callerId: string;
  readonly requestId: string;
}

type OutcomeListener = (key: string, outcome: Outcome, now: number) => void;

/**
 * What is known of a revision, and of a held request that has a name.
 *
 * Invariants:
 *  1. What is told is the sum over all data planes, or says that it is not.
 *  2. A request is told of to its own caller alone, and nobody else's name is taken for its name.
 */
export class Inquiry {
  private readonly named = new NamedRequests();
  private readonly otherPlanes: OtherPlanes;
  private outcomeListener: OutcomeListener | undefined;

  constructor(otherPlanes = NO_OTHERS) {
    this.otherPlanes = otherPlanes;
  }

  /** A request is not held any more that had the name `key`. One listener. */
  onOutcome(listener: OutcomeListener): void {
    this.outcomeListener = listener;
  }

  /** A held request has a name. */
  name(key: string, route: RevisionRoute, waiter: Waiter<InstanceRoute>): void {
    this.named.add(key, route, waiter);
  }

  /** It is not held any more. */
  unname(key: string, waiter: Waiter<InstanceRoute>, outcome: Outcome, now: number): void {
    if (this.named.remove(key, waiter, outcome, now)) this.outcomeListener?.(key, outcome, now);
  }

  /** What this data plane knows. `request`: a key of `nameOf`, or ''. */
  waitsOf(route: RevisionRoute, request: string, now: number): RevisionWaits {
    const waits = waitsOf(route);
    if (request === '') return waits;
    const held = this.named.routeOf(request);
    if (held && held !== route) return { ...waits, heldFor: held.routing.name };
    return { ...waits, ...this.named.ask(request, now) };
  }

  /** Of all data planes; told at once if nobody need be asked. */
  ask(route: RevisionRoute, asker: Asker, now: number, then: (status: Status) => void): void {
    this.askAll(route, asker, now, then, false);
  }

  /** A request may be held for another revision than the one asked for: `isAgain` asks of that. */
  private askAll(
    route: RevisionRoute,
    asker: Asker,
    now: number,
    then: (status: Status) => void,
    isAgain: boolean,
  ): void {
    const request = nameOf(route, asker);
    this.otherPlanes.ask({ revision: route.key, request }, (others, isComplete) => {
      const told = [this.waitsOf(route, request, now), ...others];
      const holder = told.find(({ heldFor }) => heldFor !== undefined)?.heldFor ?? '';
      const held = route.model.revisions.get(holder);
      if (held && !isAgain) this.askAll(held, asker, now, then, true);
      else then({ ...makeStatus(route, now, told, asker.requestId), ...(!isComplete && PARTIAL) });
    });
  }
}

/**
 * A name is a caller's at a model: it need not know which revision the request was given to. '': none. An address may
 * have slashes, but nothing else here has any.
 */
export function nameOf({ model }: RevisionRoute, { callerId, requestId }: Asker): string {
  if (requestId === '') return '';
  const { namespace, name } = model.routing;
  return `${namespace}/${name}/${callerId}/${requestId}`;
}
