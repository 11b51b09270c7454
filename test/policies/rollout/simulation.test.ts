import { describe, expect, test } from 'vitest';
import { labels, QUERY, type Side, simulate, successes, times, values } from './simulated.ts';

const SEEDS = 1000;
/** Of 1,000 runs: then the 95 % upper bound of the error is below 5 %. */
const MOST_WRONG = 37;
const LEAST_IN_TIME = 900;

/**
 * What a comparison that is looked at once needs on each side, for an error of 5 % (one-sided) and a power of 90 %, to
 * tell these two shares apart: the textbook size, with the normal approximation. The level is the one that each of our
 * tests has with one metric; the power that of the "right decision in 90 %" which is asked for here.
 */
function fixedSize(one: number, other: number): number {
  const quantiles = 1.6449 + 1.2816;
  return (quantiles ** 2 * (one * (1 - one) + other * (1 - other))) / (one - other) ** 2;
}

/** The same for two means whose values have these variances. */
function fixedSizeOfMeans(difference: number, variances: readonly [number, number]): number {
  const quantiles = 1.6449 + 1.2816;
  return (quantiles ** 2 * (variances[0] + variances[1])) / difference ** 2;
}

interface Tally {
  readonly promote: number;
  readonly rollBack: number;
  readonly hold: number;
  /** Of what ended as the most did, so many within twice the fixed size. */
  readonly inTime: { readonly promote: number; readonly rollBack: number };
}

function tally(
  spec: Parameters<typeof simulate>[0],
  sides: { stable: Side; canary: Side },
  { fixed, perInterval }: { fixed: number; perInterval: number },
): Tally {
  const ended = Array.from({ length: SEEDS }, (_, index) =>
    simulate(spec, sides, { seed: index + 1, perInterval, most: 6 * fixed }),
  );
  const count = (kind: string, most = Infinity): number =>
    ended.filter((one) => one.kind === kind && one.each <= most).length;
  return {
    promote: count('promote'),
    rollBack: count('rollBack'),
    hold: count('hold'),
    inTime: { promote: count('promote', 2 * fixed), rollBack: count('rollBack', 2 * fixed) },
  };
}

const always = (value: number) => () => value;
/** Every seventh minute is bad for both. */
const badMinutes =
  (usual: number, bad: number) =>
  (minute: number): number =>
    minute % 7 === 3 ? bad : usual;

describe('three points of accuracy, by labels', () => {
  const spec = { metrics: [{ metric: 'custom' as const, measure: 'accuracy', margin: 0.03 }] };
  const size = { fixed: fixedSize(0.93, 0.9), perInterval: 1000 };
  const stable = labels(always(0.93));

  test('the same revision twice is promoted in the end, and hardly ever rolled back', () => {
    const { promote, rollBack } = tally(spec, { stable, canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(SEEDS - MOST_WRONG);
  });

  test('a worse one is rolled back', () => {
    const { promote, inTime } = tally(spec, { stable, canary: labels(always(0.9)) }, size);
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.rollBack).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('a better one is promoted', () => {
    const { rollBack, inTime } = tally(spec, { stable, canary: labels(always(0.96)) }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.promote).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('minutes that are bad for both are not held against it', () => {
    const both = labels(badMinutes(0.93, 0.5));
    const { promote, rollBack } = tally(spec, { stable: both, canary: both }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(SEEDS - 2 * MOST_WRONG);
  });
});

describe('the 95th percentile of latency, times 1.3', () => {
  const spec = { metrics: [{ metric: 'latency' as const, ratio: 1.3 }], minSamples: 50 };
  // Log-normal times with σ = 0.5: of a canary that is as fast, 1.5 % take longer than 1.3 times the percentile.
  const size = { fixed: fixedSize(0.05, 0.015), perInterval: 200 };
  const stable = times(always(1));

  test('the same revision twice is hardly ever rolled back, and promoted or held', () => {
    const { rollBack } = tally(spec, { stable, canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
  });

  test('a slower one is rolled back', () => {
    const { promote, inTime } = tally(spec, { stable, canary: times(always(1.3)) }, size);
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.rollBack).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('a faster one is promoted', () => {
    const { rollBack, inTime } = tally(spec, { stable, canary: times(always(0.8)) }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.promote).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('minutes that are slow for both are not held against it', () => {
    const both = times(badMinutes(1, 3));
    const { rollBack } = tally(spec, { stable: both, canary: both }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
  });
});

describe('one point of success', () => {
  const spec = { metrics: [{ metric: 'success' as const, margin: 0.01 }] };
  const size = { fixed: fixedSize(0.995, 0.985), perInterval: 400 };
  const stable = successes(always(0.995));

  test('the same revision twice is promoted in the end, and hardly ever rolled back', () => {
    const { promote, rollBack } = tally(spec, { stable, canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(SEEDS - MOST_WRONG);
  });

  test('a worse one is rolled back', () => {
    const { promote, inTime } = tally(spec, { stable, canary: successes(always(0.985)) }, size);
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.rollBack).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('where nothing ever fails it is promoted', () => {
    const both = successes(always(1));
    const { inTime } = tally(spec, { stable: both, canary: both }, size);
    expect(inTime.promote).toBe(SEEDS);
  });
});

describe('cost, times 1.1', () => {
  const spec = { metrics: [{ metric: 'cost' as const, ratio: 1.1 }], minSamples: 50 };
  // Log-normal times with σ = 0.5, in units of their mean.
  const variance = Math.expm1(0.25);
  const size = {
    fixed: fixedSizeOfMeans(0.1, [variance, variance * 1.1 ** 2]),
    perInterval: 200,
  };
  const stable = times(always(1));

  test('the same revision twice is promoted in the end, and hardly ever rolled back', () => {
    const { promote, rollBack } = tally(spec, { stable, canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(SEEDS - MOST_WRONG);
  });

  test('a dearer one is rolled back', () => {
    const { promote, inTime } = tally(spec, { stable, canary: times(always(1.1)) }, size);
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.rollBack).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('a cheaper one is promoted', () => {
    const { rollBack, inTime } = tally(spec, { stable, canary: times(always(0.9)) }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.promote).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('minutes that are slow for both are not held against it', () => {
    const both = times(badMinutes(1, 3));
    const { rollBack } = tally(spec, { stable: both, canary: both }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
  });
});

describe('a query, by its average over the looks', () => {
  const metric = { metric: 'prometheus', query: QUERY, goal: 'lower', margin: 1 } as const;
  const spec = { metrics: [metric] };
  // Each look is one value on each side, whatever the share of the requests. Exponential ones have a variance of 1.
  const size = { fixed: fixedSizeOfMeans(1, [1, 1]), perInterval: 2 };
  const stable = values(0);

  test('the same revision twice is promoted in the end, and hardly ever rolled back', () => {
    const { promote, rollBack } = tally(spec, { stable, canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(SEEDS - MOST_WRONG);
  });

  test('a worse one is rolled back', () => {
    const { promote, inTime } = tally(spec, { stable, canary: values(1) }, size);
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.rollBack).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });

  test('a better one is promoted', () => {
    const { rollBack, inTime } = tally(spec, { stable: values(1), canary: stable }, size);
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(inTime.promote).toBeGreaterThanOrEqual(LEAST_IN_TIME);
  });
});
