import type { RuntimeName } from '#domain/model.ts';
import { type IdleRevision, type PlacementDecision, decidePlacement } from '#policies/placement.ts';
import type { RevisionFacts } from './facts.ts';

/**
 * Who holds how much of the memory budget. A holder keeps what its instances take, those on their way out
 * included, and what it was granted and has not started yet.
 */
export interface Budget {
  /** What one instance takes: as declared, or the most that one was seen to take, or a guess. */
  bytesEach(facts: RevisionFacts): number;
  /** A measurement of an instance. */
  measured(revision: string, bytes: number): void;
  hold(revision: string, holding: Holding): void;
  /** Holds nothing any more. What was measured is kept for its next start. */
  drop(revision: string): void;
  /** The revision is deleted. What it still holds is held until `drop`. */
  forget(revision: string): void;
  ask(
    claim: Claim,
    idle: () => readonly IdleRevision[],
  ): { decision: PlacementDecision; why: string };
  /** What nobody holds. */
  free(): number;
}

export interface Holding {
  readonly bytesEach: number;
  readonly granted: number;
  /** All that exist but the parked ones: starting, ready, draining, being parked. */
  readonly running: number;
  /** What the parked ones were last seen to take, in all. */
  readonly parkedBytes: number;
}

/** What is asked for, and what would be free for it besides. */
export interface Claim {
  readonly bytesEach: number;
  readonly more: number;
  /** Held by the asker itself, for what it would get now. */
  readonly ownBytes: number;
  readonly standbyBytes: number;
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
  let leaving = 0;

  function add(holding: Holding | undefined, sign: 1 | -1): void {
    if (!holding) return;
    const { bytesEach, granted, running, parkedBytes } = holding;
    used += sign * (bytesEach * Math.max(granted, running) + parkedBytes);
    leaving += sign * bytesEach * Math.max(0, running - granted);
  }

  function drop(revision: string): void {
    add(holdings.get(revision), -1);
    holdings.delete(revision);
  }

  return {
    bytesEach({ key, workload }) {
      const { runtime, resources } = workload.spec;
      if (runtime === 'url') return 0;
      return resources.memory ?? peaks.get(key) ?? FIRST_GUESS[runtime];
    },
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
    free: () => total - used,
    ask({ bytesEach, more, ownBytes, standbyBytes }, idle) {
      const taken = used - ownBytes + standbyBytes;
      const numbers = { used: taken, leaving, standby: standbyBytes };
      const seen = { budget: total, bytesEach, more, ...numbers };
      const fits = decidePlacement({ ...seen, idle: [] });
      // Looking for idle ones walks over all that is active: only when memory is short.
      return fits.decision.grant === more ? fits : decidePlacement({ ...seen, idle: idle() });
    },
  };
}
