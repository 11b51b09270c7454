import { quantile } from '../measure/figures.ts';

const RESAMPLES = 2000;

/** A ratio of two quantiles, with the interval in which 95 of 100 such runs would find it. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The percentile bootstrap (Efron, 1979): both samples are drawn from anew, with replacement.
 *
 * @param roll uniform in [0, 1).
 */
export function ratioOfQuantiles(
  own: readonly number[],
  other: readonly number[],
  share: number,
  roll: () => number,
): Ratio {
  const ratio = (a: readonly number[], b: readonly number[]): number =>
    quantileOf(a, share) / quantileOf(b, share);
  const drawn = Float64Array.from({ length: RESAMPLES }, () =>
    ratio(resample(own, roll), resample(other, roll)),
  ).sort();
  return {
    value: ratio(own, other),
    low: quantile(drawn, 0.025),
    high: quantile(drawn, 0.975),
  };
}

function quantileOf(values: readonly number[], share: number): number {
  return quantile(Float64Array.from(values).sort(), share);
}

function resample(values: readonly number[], roll: () => number): number[] {
  return values.map(() => values[Math.floor(roll() * values.length)] ?? 0);
}
