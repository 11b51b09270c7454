import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergePoints, type Point } from '#domain/points.ts';

const list = fc.array(
  fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.integer({ min: 1, max: 1000 })),
  { maxLength: 80 },
);
const weightOf = (points: readonly Point[]) => points.reduce((sum, [, weight]) => sum + weight, 0);
const sumOf = (points: readonly Point[]) =>
  points.reduce((sum, [value, weight]) => sum + value * weight, 0);

test('below the limit nothing is lost, and equal values become one', () => {
  expect(
    mergePoints(
      [
        [[3, 1]],
        [
          [1, 2],
          [3, 4],
        ],
        [],
      ],
      8,
    ),
  ).toEqual([
    [1, 2],
    [3, 5],
  ]);
});

test('the nearest neighbours become one', () => {
  expect(
    mergePoints(
      [
        [
          [0, 1],
          [10, 3],
          [11, 1],
          [20, 1],
        ],
      ],
      3,
    ),
  ).toEqual([
    [0, 1],
    [10.25, 4],
    [20, 1],
  ]);
});

test('ascending, bounded, and with the weight and the sum of what went in', () => {
  fc.assert(
    fc.property(list, list, fc.integer({ min: 1, max: 40 }), (a, b, most) => {
      const merged = mergePoints([a, b], most);
      expect(merged.length).toBeLessThanOrEqual(most);
      expect(weightOf(merged)).toBe(weightOf(a) + weightOf(b));
      const scale = weightOf(merged) * 1e6 + 1;
      expect(Math.abs(sumOf(merged) - sumOf(a) - sumOf(b)) / scale).toBeLessThan(1e-7);
      for (const [index, [value]] of merged.entries()) {
        if (index > 0) expect(value).toBeGreaterThan(merged[index - 1]![0]);
      }
    }),
  );
});
