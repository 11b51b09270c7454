import { expect, test } from 'vitest';
import { backoffMs } from '#lib/backoff.ts';

test.each([
  [0, 0],
  [1, 50],
  [2, 100],
  [3, 200],
  [7, 3200],
  [8, 5000],
  [5000, 5000],
])('after %i failures in a row: %i ms', (failures, expected) => {
  expect(backoffMs(failures, 50, 5000)).toBe(expected);
});
