import type { Points } from '#domain/points.ts';
import type { Score } from './score.ts';

/** A revision that may be chosen, or serves. */
export interface Candidate {
  readonly revision: string;
  /** It serves; it need not be one of those that may be chosen. */
  readonly serving: boolean;
  readonly mayBeChosen: boolean;
  /** Ready, and no rollout to it has failed. */
  readonly isReady: boolean;
  /** Position among the model's revisions: the highest is the newest. */
  readonly ordinal: number;
  /** In the window; undefined: the strategy asks for none. */
  readonly score?: Score;
}

/** Values of a feature, before and now. */
export interface Feature {
  readonly name: string;
  readonly reference: Points;
  readonly current: Points;
}

/** What a strategy sees. What it does not ask for is absent. */
export interface Seen {
  readonly candidates: readonly Candidate[];
  /** Of `threshold`: its measure in the window. */
  readonly score?: Score;
  /** Of `dataDriven`: how much new data there is since the last choice, and its features. */
  readonly newData?: number;
  readonly features?: readonly Feature[];
}

/**
 * What a strategy makes of it. `reason` is stable (an event is written when it or `judged` changes), `why` has the numbers.
 * `thin`: data are missing or too few, and nothing changes.
 */
export interface Choice {
  /** Undefined: what serves stays. */
  readonly revision?: string;
  readonly reason: 'thin' | 'fits' | 'none' | 'better' | 'beyond' | 'back' | 'data' | 'drift';
  readonly why: string;
  /** Those that are known well enough and were not chosen: another one among them is news. */
  readonly judged?: readonly string[];
}

export function servingOf({ candidates }: Seen): Candidate | undefined {
  return candidates.find((candidate) => candidate.serving);
}

/** Those that could serve in its place. */
export function othersOf({ candidates }: Seen): Candidate[] {
  return candidates.filter(
    ({ serving, mayBeChosen, isReady }) => !serving && mayBeChosen && isReady,
  );
}

export function newestOf(candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.toSorted((a, b) => b.ordinal - a.ordinal)[0];
}
