import type { MeasureBucket } from '#domain/measures.ts';

/** What was measured of a revision in a window. */
export interface Score {
  readonly count: number;
  readonly mean: number;
  /** Of one sample. */
  readonly variance: number;
}

export const NO_SCORE: Score = { count: 0, mean: 0, variance: 0 };

/** A difference has to be of so many standard errors, or it may be chance (0.975 of the normal distribution). */
const SURE = 1.96;

export function makeScore(buckets: readonly MeasureBucket[]): Score {
  let [count, sum, squares] = [0, 0, 0];
  for (const bucket of buckets) {
    count += bucket.count;
    sum += bucket.sum;
    squares += bucket.sumSquares;
  }
  if (count === 0) return NO_SCORE;
  const mean = sum / count;
  return { count, mean, variance: Math.max(0, squares / count - mean ** 2) };
}

/** By how much `a` is better; `goal` says which direction that is. */
export function advantageOf(a: Score, b: Score, goal: 'higher' | 'lower'): number {
  return goal === 'higher' ? a.mean - b.mean : b.mean - a.mean;
}

/** What chance may make of the difference of two means. */
export function chanceOf(a: Score, b: Score): number {
  return SURE * Math.sqrt(a.variance / a.count + b.variance / b.count);
}

/** Four digits: more says nothing to a reader. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}
