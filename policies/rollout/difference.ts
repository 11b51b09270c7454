import type { DifferenceEvidence } from '#domain/rollout.ts';
import { logNormalMixture } from './normal-mixture.ts';

/** So many values, their sum and the sum of their squares. */
export interface Values {
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
}

/** What both sides had in the same time. */
export interface Stratum {
  readonly stable: Values;
  readonly canary: Values;
}

export const NO_SPREAD = { squares: 0, freedom: 0, count: 0, sum: 0 };
export const NO_DIFFERENCE: DifferenceEvidence = {
  weight: 0,
  gain: 0,
  overStable: 0,
  overCanary: 0,
  stable: NO_SPREAD,
  canary: NO_SPREAD,
};

/** Where all values are the same, the spread is taken for this share of the margin: some values are needed anyway. */
const LEAST_SPREAD = 0.1;

/**
 * Adds how much more the canary's mean was than the stable one's within this time, weighted as N. Mantel and W. Haenszel
 * (1959) do: what both had in common falls out.
 */
export function addStratum(
  before: DifferenceEvidence,
  { stable, canary }: Stratum,
): DifferenceEvidence {
  if (stable.count === 0 || canary.count === 0) return before;
  const weight = (stable.count * canary.count) / (stable.count + canary.count);
  const gain = canary.sum / canary.count - stable.sum / stable.count;
  return {
    weight: before.weight + weight,
    gain: before.gain + weight * gain,
    overStable: before.overStable + (weight * weight) / stable.count,
    overCanary: before.overCanary + (weight * weight) / canary.count,
    stable: addSpread(before.stable, stable),
    canary: addSpread(before.canary, canary),
  };
}

/** Of one side: a time with some values more. */
export function addSpread(
  before: DifferenceEvidence['stable'],
  { count, sum, sumSquares }: Values,
): DifferenceEvidence['stable'] {
  return {
    squares: before.squares + Math.max(0, sumSquares - (sum * sum) / count),
    freedom: before.freedom + count - 1,
    count: before.count + count,
    sum: before.sum + sum,
  };
}

/** Logarithm of the e-value against "not worse": it is worse where more is better. */
export function logWorse(seen: DifferenceEvidence, margin: number): number {
  return logOf(seen, -seen.gain, varianceOf(seen.canary, margin), margin);
}

/** Logarithm of the e-value against "worse by the margin or more". */
export function logFine(seen: DifferenceEvidence, margin: number): number {
  const ofCanary = varianceOf(seen.canary, margin);
  return logOf(seen, seen.gain + margin * seen.weight, ofCanary, margin);
}

/**
 * The same for shares: the variance is at least what it would be if it were worse by the margin, for nothing follows
 * from a few values that are all the same.
 */
export function logFineShare(seen: DifferenceEvidence, margin: number): number {
  if (seen.weight === 0) return 0;
  const worse = Math.max(0, seen.stable.sum / seen.stable.count - margin);
  const ofCanary = Math.max(varianceOf(seen.canary, margin), worse * (1 - worse));
  return logOf(seen, seen.gain + margin * seen.weight, ofCanary, margin);
}

/** Logarithms of e-values for the mean of one side: against "at least the bound", and against "at most". */
export function weighMean(
  side: DifferenceEvidence['canary'],
  bound: number,
  margin: number,
): { below: number; above: number } {
  if (side.count === 0) return { below: 0, above: 0 };
  const each = varianceOf(side, margin);
  const over = side.sum - side.count * bound;
  const rho = (each / margin) ** 2;
  return {
    below: logNormalMixture(-over, side.count * each, rho),
    above: logNormalMixture(over, side.count * each, rho),
  };
}

function logOf(seen: DifferenceEvidence, sum: number, ofCanary: number, margin: number): number {
  if (seen.weight === 0) return 0;
  const variance = seen.overStable * varianceOf(seen.stable, margin) + seen.overCanary * ofCanary;
  // Quickest about when a difference of the margin can be told.
  const rho = (variance / seen.weight / margin) ** 2;
  return logNormalMixture(sum, variance, rho);
}

function varianceOf({ squares, freedom }: DifferenceEvidence['stable'], margin: number): number {
  return Math.max(freedom > 0 ? squares / freedom : 0, (LEAST_SPREAD * margin) ** 2);
}
