import type { Lease, NewLease } from '#bus/messages.ts';
import type { Publisher } from '#bus/publisher.ts';
import { splitAddress } from '#domain/address.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';
import { decideShares } from './shares.ts';

/** What is the same for all instances of a revision. */
export interface RevisionTraits {
  /** `namespace/model/revision`. */
  readonly revision: string;
  /** Requests that a pod takes at once; 0: no limit. */
  readonly concurrency: number;
  readonly h2c: boolean;
}

/** Which of the activators that a revision's requests go to this one is; -1: not known as one of them. */
export interface Place {
  readonly index: number;
  readonly count: number;
}

/**
 * The pods that take requests, as instances of the data plane, and the places on them that are this activator's.
 *
 * 1. An address that comes again is another instance: the pod may be another one.
 * 2. An instance that goes is drained, and forgotten when nothing of it is in flight any more.
 * 3. With a limit of concurrency the places of an instance are leased, and `places` are those of `decideShares`, as
 *    soon as they can be: what the data plane gives back in the place of others is given to it again.
 */
export interface Instances {
  add(
    traits: RevisionTraits,
    to: string,
    times: { readonly askedAt: number; readonly seenAt: number },
  ): void;
  remove(traits: RevisionTraits, to: string): void;
  /** Shares change with it. */
  setPlace(traits: RevisionTraits, place: Place): void;
  /** Nothing of it is in flight any more. */
  drained(id: string): void;
  /** The data plane gave up places of it. */
  released(lease: Lease): void;
  /** What was leased to the data plane it does not know. */
  shareAll(): void;
  /** There is no such revision any more. */
  forget(revision: string): void;
}

/** What was given back is given again after this: meanwhile what ran in its place may have ended. */
const RETURN_MS = 200;
const UNKNOWN_PLACE: Place = { index: -1, count: 0 };

interface Shared {
  traits: RevisionTraits;
  place: Place;
  /** By address. */
  readonly instances: Map<string, RoutingInstance>;
  isReturning: boolean;
}

export function createInstances(options: {
  publisher: Pick<Publisher, 'update' | 'lease'>;
  dataPlane: string;
  clock: Clock;
}): Instances {
  const { publisher, dataPlane, clock } = options;
  const revisions = new Map<string, Shared>();
  const revisionOfId = new Map<string, string>();
  let made = 0;
  let sequence = 0;

  function sharedOf(traits: RevisionTraits): Shared {
    const known = revisions.get(traits.revision);
    if (known) return known;
    const fresh = { traits, place: UNKNOWN_PLACE, instances: new Map(), isReturning: false };
    revisions.set(traits.revision, fresh);
    return fresh;
  }

  function share({ traits, place, instances }: Shared): void {
    if (traits.concurrency === 0 || instances.size === 0) return;
    const pods = [...instances].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const slots = decideShares(pods.length, traits.concurrency, place);
    sequence += 1;
    const leases = pods.map(([, { id }], i): NewLease => ({
      instance: id,
      slots: slots[i] ?? 0,
      sequence,
    }));
    publisher.lease(dataPlane, leases);
  }

  function shareSoon(shared: Shared): void {
    if (shared.isReturning) return;
    shared.isReturning = true;
    clock.after(RETURN_MS, () => {
      shared.isReturning = false;
      share(shared);
    });
  }

  return {
    add(traits, to, { askedAt, seenAt }) {
      const shared = sharedOf(traits);
      made += 1;
      const { host, port } = splitAddress(to);
      const instance: RoutingInstance = {
        id: `${traits.revision}@${to}#${made}`,
        revision: traits.revision,
        address: { node: '', host, port, ...(traits.h2c && { h2c: true }) },
        state: 'ready',
        ...(traits.concurrency > 0 && { leased: true }),
        askedAt: Math.min(askedAt, seenAt),
        startedAt: seenAt,
        readyAt: clock.now(),
      };
      shared.instances.set(to, instance);
      revisionOfId.set(instance.id, traits.revision);
      publisher.update({ instances: [instance] });
      share(shared);
    },
    remove(traits, to) {
      const shared = sharedOf(traits);
      const instance = shared.instances.get(to);
      if (!instance) return;
      shared.instances.delete(to);
      publisher.update({ instances: [{ ...instance, state: 'draining' }] });
      share(shared);
    },
    setPlace(traits, place) {
      const shared = sharedOf(traits);
      if (shared.place.index === place.index && shared.place.count === place.count) return;
      shared.place = place;
      share(shared);
    },
    drained(id) {
      if (revisionOfId.delete(id)) publisher.update({ removedInstances: [id] });
    },
    released({ instance }) {
      const shared = revisions.get(revisionOfId.get(instance) ?? '');
      if (shared) shareSoon(shared);
    },
    shareAll() {
      for (const shared of revisions.values()) share(shared);
    },
    forget: (revision) => void revisions.delete(revision),
  };
}
