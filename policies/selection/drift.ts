import type { Points } from '#domain/points.ts';

/**
 * How far apart two distributions are, of points `[value, weight]` in ascending order.
 */
export interface Distance {
  readonly value: number;
  /** What chance alone reaches once in a thousand times, with so few samples. */
  readonly chance: number;
}

/** Deciles, as the index is used in credit scoring, where its bounds of 0.1 and 0.2 come from. */
const BINS = 10;
/** A bin that nobody fell into counts as half a sample, so that its logarithm exists. */
const EMPTY = 0.5;
/** Quantile 0.999 of the normal distribution. */
const Z_999 = 3.0902;
/** √(−½ ln(0.001 / 2)): the two-sided bound of Kolmogorov and Smirnov for one in a thousand. */
const KS_999 = 1.9495;

/**
 * Population stability index over the reference's deciles: Σ (a − e) ln(a / e). Where nothing has changed it is
 * near (1/n + 1/m) χ² with one degree of freedom less than there are bins (Yurdakul, "Statistical Properties of
 * Population Stability Index", 2018).
 */
export function measurePsi(reference: Points, current: Points): Distance {
  const bounds = boundsOf(reference);
  const expected = countInto(reference, bounds);
  const actual = countInto(current, bounds);
  const [n, m] = [weightOf(reference), weightOf(current)];
  const bins = bounds.length + 1;
  let value = 0;
  for (let bin = 0; bin < bins; bin++) {
    const e = share(expected[bin]!, n, bins);
    const a = share(actual[bin]!, m, bins);
    value += (a - e) * Math.log(a / e);
  }
  return { value, chance: (1 / n + 1 / m) * chiSquare999(bins - 1) };
}

/** The largest distance between the shares below any value (two-sample Kolmogorov–Smirnov). */
export function measureKs(reference: Points, current: Points): Distance {
  const [n, m] = [weightOf(reference), weightOf(current)];
  const steps = [
    ...reference.map(([at, weight]) => ({ at, step: weight / n })),
    ...current.map(([at, weight]) => ({ at, step: -weight / m })),
  ].toSorted((a, b) => a.at - b.at);
  let [apart, value] = [0, 0];
  for (const [index, { at, step }] of steps.entries()) {
    apart += step;
    if (steps[index + 1]?.at !== at) value = Math.max(value, Math.abs(apart));
  }
  return { value, chance: KS_999 * Math.sqrt(1 / n + 1 / m) };
}

export function weightOf(points: Points): number {
  return points.reduce((sum, [, weight]) => sum + weight, 0);
}

/** Upper bounds of all bins but the last; fewer than deciles where one value takes more than a tenth. */
function boundsOf(points: Points): number[] {
  const total = weightOf(points);
  const bounds: number[] = [];
  let below = 0;
  let decile = 1;
  for (const [value, weight] of points.slice(0, -1)) {
    below += weight;
    if (below * BINS < total * decile) continue;
    bounds.push(value);
    decile = Math.floor((below * BINS) / total) + 1;
  }
  return bounds;
}

function countInto(points: Points, bounds: readonly number[]): number[] {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  let bin = 0;
  for (const [value, weight] of points) {
    while (bin < bounds.length && value > bounds[bin]!) bin++;
    counts[bin]! += weight;
  }
  return counts;
}

function share(count: number, total: number, bins: number): number {
  return Math.max(count, EMPTY) / Math.max(total, EMPTY * bins);
}

/** Wilson and Hilferty's approximation of the quantile 0.999. */
function chiSquare999(degrees: number): number {
  if (degrees === 0) return 0;
  const part = 2 / (9 * degrees);
  return degrees * (1 - part + Z_999 * Math.sqrt(part)) ** 3;
}
