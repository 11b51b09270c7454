import type { Instance, Runtime } from '#runtime/runtime.ts';
import type { AdaptiveSeen } from '#policies/keepalive/adaptive.ts';
import type { Budget } from '../budget.ts';
import type { RevisionFacts } from '../records/facts.ts';

/** What keeping, parking and starting a revision costs, as far as was measured. */
export interface Costs {
  of(facts: RevisionFacts): AdaptiveSeen;
  /** An instance has changed, or was measured. */
  seen(instance: Instance, now: number): void;
  forget(revision: string): void;
}

/** A cold start that was not measured, in seconds. */
const UNKNOWN_START = 1;
/** Until it was tried, what is parked is taken to keep half of its memory and to wake in three milliseconds. */
const UNTRIED = { share: 0.5, wake: 0.003 };
/** Memory is given back some seconds after freezing: what is measured before says nothing. */
const GIVEN_BACK_MS = 20_000;
/** Weight of the newest in the mean of wakes. */
const NEWEST = 0.3;

/** Bytes that one kept when it was parked; the mean of its wakes in seconds, and when the last was. */
interface Parked {
  readonly bytes: number | undefined;
  readonly wake: number;
  readonly wokenAt: number;
}
const NEVER: Parked = { bytes: undefined, wake: UNTRIED.wake, wokenAt: 0 };

export function createCosts(options: {
  runtime: Pick<Runtime, 'capabilities'>;
  budget: Pick<Budget, 'bytesEach'>;
  coldStartSeconds: (revision: string) => number;
}): Costs {
  const { runtime, budget, coldStartSeconds } = options;
  const parked = new Map<string, Parked>();

  function parkedOf({ key, workload }: RevisionFacts, memory: number): AdaptiveSeen['parked'] {
    if (!runtime.capabilities.parks || workload.spec.runtime === 'url') return undefined;
    const { bytes, wake } = parked.get(key) ?? NEVER;
    return { share: bytes === undefined ? UNTRIED.share : Math.min(1, bytes / memory), wake };
  }

  function woke(revision: string, known: Parked, seconds: number, wokenAt: number): void {
    const wake = known.wake + NEWEST * (seconds - known.wake);
    parked.set(revision, { ...known, wake, wokenAt });
  }

  return {
    of(facts) {
      const memory = budget.bytesEach(facts);
      const coldCost = coldStartSeconds(facts.key) || UNKNOWN_START;
      return { memory, coldCost, startMs: coldCost * 1000, parked: parkedOf(facts, memory) };
    },
    seen({ revision, state, origin, memoryBytes, parkedAt, askedAt, readyAt }, now) {
      const known = parked.get(revision) ?? NEVER;
      if (state === 'parked' && memoryBytes > 0 && now - parkedAt >= GIVEN_BACK_MS) {
        parked.set(revision, { ...known, bytes: memoryBytes });
      }
      if (state === 'ready' && origin === 'parked' && readyAt !== known.wokenAt) {
        woke(revision, known, Math.max(0, readyAt - askedAt) / 1000, readyAt);
      }
    },
    forget: (revision) => parked.delete(revision),
  };
}
