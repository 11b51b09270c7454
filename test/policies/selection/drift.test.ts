import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergePoints, type Points } from '#domain/points.ts';
import { measureKs, measurePsi } from '#policies/selection/drift.ts';

const points = (values: readonly number[]): Points =>
  mergePoints([values.map((value) => [value, 1] as const)], Infinity);

/** Park and Miller's generator: the same numbers in every run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

function normal(random: () => number, mean = 0, deviation = 1): number {
  const radius = Math.sqrt(-2 * Math.log(random()));
  return mean + deviation * radius * Math.cos(2 * Math.PI * random());
}

const draw = (random: () => number, count: number, mean = 0, deviation = 1): Points =>
  points(Array.from({ length: count }, () => normal(random, mean, deviation)));

const tenths: Points = Array.from({ length: 10 }, (_, n) => [n, 10] as const);

describe('by hand', () => {
  test('PSI of deciles of which one has lost half to another', () => {
    const current = tenths.map(([value, weight]) => {
      const share = value === 0 ? 5 : value === 9 ? 15 : weight;
      return [value, share] as const;
    });
    const expected = -0.05 * Math.log(0.5) + 0.05 * Math.log(1.5);
    expect(measurePsi(tenths, current).value).toBeCloseTo(expected, 12);
  });

  test('PSI of a bin that nobody is in any more: half a sample', () => {
    const current = tenths.filter(([value]) => value !== 4);
    const [e, a] = [0.1, 0.5 / 90];
    const rest = 9 * (1 / 9 - 0.1) * Math.log(10 / 9);
    expect(measurePsi(tenths, current).value).toBeCloseTo((a - e) * Math.log(a / e) + rest, 12);
  });

  test('PSI of categories as numbers, of which one takes more than a tenth', () => {
    const before: Points = [
      [0, 50],
      [1, 50],
    ];
    const now: Points = [
      [0, 90],
      [1, 10],
    ];
    const expected = 0.4 * Math.log(1.8) - 0.4 * Math.log(0.2);
    expect(measurePsi(before, now).value).toBeCloseTo(expected, 12);
    expect(measureKs(before, now).value).toBeCloseTo(0.4, 12);
  });

  test('KS of distributions that do not meet, and of one beside itself', () => {
    expect(measureKs(points([1, 2]), points([3, 4])).value).toBe(1);
    expect(measureKs(points([1, 3]), points([2, 4])).value).toBe(0.5);
    expect(measureKs(points([1, 2, 2]), points([1, 2, 2])).value).toBe(0);
  });

  test('a constant that stays, and one that moves', () => {
    expect(measurePsi([[7, 100]], [[7, 80]]).value).toBe(0);
    expect(measurePsi([[7, 100]], [[8, 80]]).value).toBe(0);
    expect(measureKs([[7, 100]], [[8, 80]]).value).toBe(1);
  });
});

test('what has not changed is beyond chance about once in a thousand times', () => {
  const random = createRandom(1);
  let [psi, ks] = [0, 0];
  for (let round = 0; round < 1000; round++) {
    const [before, now] = [draw(random, 300), draw(random, 200)];
    const apart = measurePsi(before, now);
    const distance = measureKs(before, now);
    if (apart.value > apart.chance) psi++;
    if (distance.value > distance.chance) ks++;
  }
  expect(psi).toBeLessThanOrEqual(6);
  expect(ks).toBeLessThanOrEqual(4);
});

test.each([
  ['mean', 0.7, 1],
  ['spread', 0, 2],
])('a %s that has changed is seen', (_, mean, deviation) => {
  const random = createRandom(2);
  const [before, now] = [draw(random, 2000), draw(random, 500, mean, deviation)];
  const psi = measurePsi(before, now);
  expect(psi.value).toBeGreaterThan(Math.max(0.2, psi.chance));
  const ks = measureKs(before, now);
  expect(ks.value).toBeGreaterThan(Math.max(0.15, ks.chance));
});

test('points of minutes are nearly as good as all values', () => {
  const random = createRandom(3);
  const all = (mean: number) =>
    Array.from({ length: 60 }, () =>
      Array.from({ length: 100 }, (): readonly [number, number] => [normal(random, mean), 1]),
    );
  const [before, now] = [all(0), all(0.5)];
  const few = (minutes: typeof before) =>
    mergePoints(
      minutes.map((minute) => mergePoints([minute], 32)),
      Infinity,
    );
  const whole = (minutes: typeof before) => mergePoints([minutes.flat()], Infinity);
  const exact = measurePsi(whole(before), whole(now)).value;
  expect(Math.abs(measurePsi(few(before), few(now)).value - exact)).toBeLessThan(0.1 * exact);
  const distance = measureKs(whole(before), whole(now)).value;
  expect(Math.abs(measureKs(few(before), few(now)).value - distance)).toBeLessThan(0.02);
});

describe('always', () => {
  const some = fc
    .array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 9 })), {
      minLength: 1,
      maxLength: 60,
    })
    .map((list): Points => mergePoints([list], Infinity));

  test('never negative, KS at most 1 and the same both ways, nothing between a thing and itself', () => {
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(measurePsi(a, b).value).toBeGreaterThanOrEqual(0);
        const { value } = measureKs(a, b);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1 + 1e-12);
        expect(measureKs(b, a).value).toBeCloseTo(value, 12);
        expect(measurePsi(a, a).value).toBeCloseTo(0, 12);
        expect(measureKs(a, a).value).toBeCloseTo(0, 12);
      }),
    );
  });

  test('more samples leave less to chance', () => {
    fc.assert(
      fc.property(some, some, (a, b) => {
        const more = b.map(([value, weight]) => [value, weight * 10] as const);
        expect(measurePsi(a, more).chance).toBeLessThanOrEqual(measurePsi(a, b).chance);
        expect(measureKs(a, more).chance).toBeLessThan(measureKs(a, b).chance);
      }),
    );
  });
});
