import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addStratum,
  logFine,
  logFineShare,
  logWorse,
  NO_DIFFERENCE,
  type Stratum,
} from '#policies/rollout/difference.ts';
import { logNormalMixture } from '#policies/rollout/normal-mixture.ts';

/** The mixture as it is defined: bets of every size, weighted by half a normal density, in small steps. */
function integrate(sum: number, variance: number, rho: number): number {
  const width = 40 / Math.sqrt(rho + variance) / 20_000;
  let total = 0;
  for (let i = 0; i < 20_000; i++) {
    const size = (i + 0.5) * width;
    const density = 2 * Math.sqrt(rho / (2 * Math.PI)) * Math.exp((-rho * size * size) / 2);
    total += width * density * Math.exp(size * sum - (size * size * variance) / 2);
  }
  return Math.log(total);
}

test.each([
  [0, 1, 1],
  [3, 4, 2],
  [-3, 4, 2],
  [-60, 40, 5],
  [25, 30, 4],
  [10, 100, 0.5],
])('the mixture for sum %d, variance %d, ρ %d', (sum, variance, rho) => {
  expect(logNormalMixture(sum, variance, rho)).toBeCloseTo(integrate(sum, variance, rho), 3);
});

function values(list: readonly number[]) {
  const sum = list.reduce((total, each) => total + each, 0);
  return { count: list.length, sum, sumSquares: list.reduce((t, each) => t + each * each, 0) };
}

function repeated(stratum: Stratum, times: number) {
  return Array.from({ length: times }, () => stratum).reduce(addStratum, NO_DIFFERENCE);
}

const STABLE = values([1, 2, 3, 4]);

test('a clearly lower mean is worse and not fine, an equal one fine and not worse', () => {
  const lower = repeated({ stable: STABLE, canary: values([0, 1, 2, 3]) }, 50);
  expect(logWorse(lower, 0.5)).toBeGreaterThan(Math.log(1000));
  expect(logFine(lower, 0.5)).toBeLessThan(0);
  const equal = repeated({ stable: STABLE, canary: STABLE }, 100);
  expect(logWorse(equal, 0.5)).toBeLessThan(0);
  expect(logFine(equal, 0.5)).toBeGreaterThan(Math.log(20));
});

test('what both have in common in a time falls out', () => {
  const shift = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(shift, (by) => {
      const moved = (list: readonly number[]) => values(list.map((each) => each + by));
      const stratum = { stable: moved([1, 2, 3, 4]), canary: moved([2, 2, 3, 5]) };
      expect(addStratum(NO_DIFFERENCE, stratum).gain).toBeCloseTo(1, 4);
    }),
  );
});

test('a time that only one side has tells nothing', () => {
  const none = values([]);
  expect(addStratum(NO_DIFFERENCE, { stable: STABLE, canary: none })).toBe(NO_DIFFERENCE);
  expect(addStratum(NO_DIFFERENCE, { stable: none, canary: STABLE })).toBe(NO_DIFFERENCE);
  expect(logWorse(NO_DIFFERENCE, 1)).toBe(0);
  expect(logFine(NO_DIFFERENCE, 1)).toBe(0);
  expect(logFineShare(NO_DIFFERENCE, 1)).toBe(0);
});

test('shares that are all good need as many as if they were worse by the margin', () => {
  const good = (count: number) => ({ count, sum: count, sumSquares: count });
  const after = (count: number): number =>
    logFineShare(addStratum(NO_DIFFERENCE, { stable: good(5000), canary: good(count) }), 0.01);
  expect(after(100)).toBeLessThan(Math.log(20));
  expect(after(2000)).toBeGreaterThan(Math.log(20));
});

test('values that are all the same are no proof by themselves', () => {
  const same = (count: number) => values(Array.from({ length: count }, () => 5));
  const few = addStratum(NO_DIFFERENCE, { stable: same(1), canary: same(1) });
  expect(Number.isFinite(logFine(few, 0.1))).toBe(true);
  expect(logWorse(few, 0.1)).toBeLessThan(Math.log(20));
});
