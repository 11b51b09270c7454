import { expect, test } from 'vitest';
import { decideBackoff } from '#policies/backoff.ts';

test('each attempt waits longer, up to a minute, and the reason says so', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => decideBackoff(attempt).decision);
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(decideBackoff(2).why).toBe('attempt 2 failed, the next follows after 2 s');
});
