import type { Lease } from '#bus/messages.ts';
import type { Clock } from '#lib/clock.ts';
import { forgetSent, type Holding, makeHolding, noteReleased } from './holding.ts';

/**
 * Which data plane may be using how many slots of which instance. It sends nothing and decides nothing.
 *
 * 1. What a data plane holds of an instance outlives its link, and is there before the instance is known: then the
 *    instance is kept without a capacity for as long as somebody holds something of it.
 * 2. Sequences rise, also over those of the control before this one.
 */
export interface LeaseBook {
  /** Those that have instances. */
  revisions(): Iterable<string>;
  sharing(revision: string): Sharing | undefined;
  /** Of the next lease. */
  nextSequence(): number;
  /** All that a data plane holds is this. */
  adopt(dataPlane: string, leases: readonly Lease[]): void;
  /** It holds nothing. */
  forget(dataPlane: string): void;
  /** What it was sent may be lost. */
  doubt(dataPlane: string): void;
  /** False: it is there already. */
  begin(instance: SharedInstance): boolean;
  /** Gives its revision. */
  end(instance: string): string | undefined;
  /** Gives the revision, if it held something of that instance. */
  released(dataPlane: string, lease: Lease): string | undefined;
}

export interface SharedInstance {
  readonly id: string;
  readonly revision: string;
  /** Requests that it takes at once; more than 0. */
  readonly capacity: number;
  /** It came to be after control, so that nobody can hold anything of it. */
  readonly isNew: boolean;
}

/** Capacity 0: nothing is known of it yet but that somebody may be using it. */
export interface Shared extends SharedInstance {
  /** By data plane. */
  readonly holdings: Map<string, Holding>;
}

/** What is remembered of a revision from one decision to the next. */
export interface Sharing {
  readonly instances: Set<Shared>;
  /** Undefined: nobody waited at the last decision. */
  credits: ReadonlyMap<string, number> | undefined;
  /** What each data plane may have been using since then. */
  had: ReadonlyMap<string, number>;
  decidedAt: number;
}

export function createLeaseBook(clock: Clock): LeaseBook {
  const shared = new Map<string, Shared>();
  const revisions = new Map<string, Sharing>();
  let lastSequence = 0;

  function sharingOf(revision: string): Sharing {
    const known = revisions.get(revision);
    if (known) return known;
    const made = {
      instances: new Set<Shared>(),
      credits: undefined,
      had: new Map<string, number>(),
      decidedAt: clock.now(),
    };
    revisions.set(revision, made);
    return made;
  }

  function forget(dataPlane: string): void {
    for (const one of shared.values()) one.holdings.delete(dataPlane);
  }

  function noteTrade(revision: string, dataPlane: string): void {
    for (const { holdings } of revisions.get(revision)?.instances ?? []) {
      const holding = holdings.get(dataPlane);
      if (holding) holding.traded = true;
    }
  }

  return {
    revisions: () => revisions.keys(),
    sharing: (revision) => revisions.get(revision),
    nextSequence() {
      lastSequence += 1;
      return lastSequence;
    },
    adopt(dataPlane, leases) {
      forget(dataPlane);
      for (const lease of leases) {
        const { instance: id } = lease;
        const unknown = { id, revision: '', capacity: 0, isNew: false };
        const one = shared.get(id) ?? { ...unknown, holdings: new Map<string, Holding>() };
        lastSequence = Math.max(lastSequence, lease.sequence);
        shared.set(one.id, one);
        one.holdings.set(dataPlane, makeHolding(clock.now(), lease));
      }
      for (const one of shared.values()) {
        if (one.capacity === 0 && one.holdings.size === 0) shared.delete(one.id);
      }
    },
    forget,
    doubt(dataPlane) {
      for (const { holdings } of shared.values()) {
        const holding = holdings.get(dataPlane);
        if (holding) forgetSent(holding);
      }
    },
    begin(instance) {
      const { id, revision } = instance;
      const known = shared.get(id);
      if (known && known.capacity > 0) return false;
      const one = { ...instance, holdings: known?.holdings ?? new Map<string, Holding>() };
      shared.set(id, one);
      sharingOf(revision).instances.add(one);
      return true;
    },
    end(instance) {
      const one = shared.get(instance);
      if (!one) return undefined;
      shared.delete(instance);
      const others = revisions.get(one.revision)?.instances;
      others?.delete(one);
      if (others?.size === 0) revisions.delete(one.revision);
      return one.revision;
    },
    released(dataPlane, lease) {
      const one = shared.get(lease.instance);
      const holding = one?.holdings.get(dataPlane);
      if (!one || !holding) return undefined;
      if (noteReleased(holding, lease)) noteTrade(one.revision, dataPlane);
      return one.revision;
    },
  };
}
