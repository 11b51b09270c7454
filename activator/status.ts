import { decideExpectedWait } from '#policies/wait.ts';
import type { Waiter } from './gate.ts';
import { type ModelRoute, mustRefuse, type RevisionRoute } from './routes.ts';
import type { Slot } from './slot.ts';

/** What a status address tells, as JSON. Durations in seconds; null: nothing was measured that would tell. */
export interface Status {
  readonly namespace: string;
  readonly model: string;
  readonly revision: string;
  readonly state: 'asleep' | 'starting' | 'awake' | 'preparing' | 'failed';
  /** Why it is not ready. */
  readonly reason?: string;
  readonly waiting: number;
  readonly inFlight: number;
  /** Of a request that comes now. */
  readonly expectedWaitSeconds: number | null;
  /** The request that was asked for. */
  readonly request?: RequestStatus;
}

/** `position` 1 is the next. `unknown`: it does not wait: not yet, not any more, or it never had to. */
type RequestStatus =
  | {
      readonly id: string;
      readonly state: 'waiting';
      readonly position: number;
      readonly expectedWaitSeconds: number | null;
    }
  | { readonly id: string; readonly state: 'unknown' | 'granted' | 'refused' };

/** The revision that a status speaks of: the one asked for, or the one with the largest part of the split. */
export function findRevision(
  model: ModelRoute,
  revision: string,
  tag: string | undefined,
): RevisionRoute | undefined {
  if (revision !== '') return model.revisions.get(revision);
  const { targets } = model.routing;
  const target =
    tag === undefined
      ? targets.toSorted((a, b) => b.percent - a.percent)[0]
      : targets.find((row) => row.tag === tag);
  return target ? model.revisions.get(target.revision) : [...model.revisions.values()].at(-1);
}

export function makeStatus(
  route: RevisionRoute,
  now: number,
  request?: { readonly id: string; readonly waiter: Waiter<Slot> | undefined },
): Status {
  const { namespace, name } = route.model.routing;
  const { routing, gate } = route;
  const state = stateOf(route, now);
  return {
    namespace,
    model: name,
    revision: routing.name,
    state,
    ...(state === 'failed' && { reason: routing.startFailure?.message ?? routing.reason }),
    waiting: gate.waiting,
    inFlight: gate.inFlight,
    expectedWaitSeconds: expectedWait(route, now, gate.waiting),
    ...(request && { request: makeRequestStatus(route, now, request) }),
  };
}

function makeRequestStatus(
  route: RevisionRoute,
  now: number,
  { id, waiter }: { readonly id: string; readonly waiter: Waiter<Slot> | undefined },
): RequestStatus {
  if (waiter?.waitsIn !== route.gate) return { id, state: 'unknown' };
  const ahead = countAhead(route, waiter);
  const expectedWaitSeconds = expectedWait(route, now, ahead);
  return { id, state: 'waiting', position: ahead + 1, expectedWaitSeconds };
}

function countAhead({ gate }: RevisionRoute, waiter: Waiter<Slot>): number {
  let ahead = 0;
  for (const other of gate.inOrder()) {
    if (other === waiter) break;
    ahead += 1;
  }
  return ahead;
}

function stateOf({ routing, gate }: RevisionRoute, now: number): Status['state'] {
  if (mustRefuse(routing, now)) return 'failed';
  if (gate.isWarm) return 'awake';
  if (gate.startingSince(now) !== undefined) return 'starting';
  return routing.state === 'Ready' ? 'asleep' : 'preparing';
}

/** With `ahead` requests before it; null while nothing tells. A free instance means no wait. */
function expectedWait({ routing, gate }: RevisionRoute, now: number, ahead: number): number | null {
  const { concurrency, coldStartSeconds } = routing;
  const warm = gate.isWarm;
  if (warm && gate.hasRoom) return 0;
  const seconds = decideExpectedWait({
    warm,
    coldStartSeconds,
    startingSeconds: (now - (gate.startingSince(now) ?? now)) / 1000,
    ahead,
    secondsPerGrant: gate.paceMs === undefined ? undefined : gate.paceMs / 1000,
    concurrency,
  });
  return seconds === undefined ? null : Math.round(seconds * 10) / 10;
}
