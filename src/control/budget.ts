import type { RuntimeName } from '#domain/model.ts';
import type { RevisionFacts } from './records/facts.ts';

/**
 * Who holds how much of the memory budget. A holder keeps what its instances take, those on their way out
 * included, and what it was granted and has not started yet.
 */
export interface Budget {
  /** What one instance takes: as declared, or the most that one was seen to take, or a guess. */
  bytesEach(facts: RevisionFacts): number;
  /** The same without a guess; undefined: it is neither declared nor measured. */
  knownBytes(facts: RevisionFacts): number | undefined;
  /** A measurement of an instance. */
  measured(revision: string, bytes: number): void;
  hold(revision: string, holding: Holding): void;
  /** Holds nothing any more. What was measured is kept for its next start. */
  drop(revision: string): void;
  /** The revision is deleted. What it still holds is held until `drop`. */
  forget(revision: string): void;
  readonly total: number;
  /** What is held of it; more than the total when what runs has grown. */
  used(): number;
  /** What nobody holds. */
  free(): number;
}

export interface Holding {
  readonly bytesEach: number;
  readonly granted: number;
  /** Starting or ready. */
  readonly running: number;
  /** On their way out: these hold their memory beside what was granted. */
  readonly draining: number;
  readonly parking: number;
  /** What the parked ones were last seen to take, in all. */
  readonly parkedBytes: number;
}

const MIB = 2 ** 20;
/** Guesses for the first start of a revision that declares nothing. */
const FIRST_GUESS: Record<RuntimeName, number> = {
  onnx: 192 * MIB,
  function: 96 * MIB,
  python: 192 * MIB,
  command: 192 * MIB,
  image: 256 * MIB,
  url: 0,
};

export function createBudget(total: number): Budget {
  const holdings = new Map<string, Holding>();
  const peaks = new Map<string, number>();
  let used = 0;

  function add(holding: Holding | undefined, sign: 1 | -1): void {
    if (!holding) return;
    const { bytesEach, granted, running, draining, parking, parkedBytes } = holding;
    const full = Math.max(granted, running) + draining + parking;
    used += sign * (bytesEach * full + parkedBytes);
  }

  function drop(revision: string): void {
    add(holdings.get(revision), -1);
    holdings.delete(revision);
  }

  function knownBytes({ key, workload }: RevisionFacts): number | undefined {
    return workload.spec.resources.memory ?? peaks.get(key);
  }

  return {
    bytesEach(facts) {
      const { runtime } = facts.workload.spec;
      if (runtime === 'url') return 0;
      return knownBytes(facts) ?? FIRST_GUESS[runtime];
    },
    knownBytes,
    measured(revision, bytes) {
      if (bytes > (peaks.get(revision) ?? 0)) peaks.set(revision, bytes);
    },
    hold(revision, holding) {
      drop(revision);
      holdings.set(revision, holding);
      add(holding, 1);
    },
    drop,
    forget(revision) {
      peaks.delete(revision);
    },
    total,
    used: () => used,
    free: () => total - used,
  };
}
