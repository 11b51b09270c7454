import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pickByHash, pickByWeight } from '#policies/traffic.ts';

const splits = fc
  .array(fc.nat(60), { minLength: 1, maxLength: 6 })
  .filter((weights) => weights.some((weight) => weight > 0));

/** How often each row is picked in so many calls, one after the other. */
function countPicks(weights: readonly number[], calls: number): number[] {
  const credit = new Int32Array(weights.length);
  const counts = weights.map(() => 0);
  for (let call = 0; call < calls; call++) {
    counts[pickByWeight(Int32Array.from(weights), credit)]! += 1;
  }
  return counts;
}

describe('the split', () => {
  test('is exact after as many calls as the weights sum to, and never far from it', () => {
    fc.assert(
      fc.property(splits, fc.nat(500), (weights, calls) => {
        const sum = weights.reduce((total, weight) => total + weight, 0);
        expect(countPicks(weights, sum)).toEqual(weights);
        countPicks(weights, calls).forEach((count, row) => {
          expect(Math.abs(count - (calls * weights[row]!) / sum)).toBeLessThan(weights.length);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('picks nothing where nothing may be picked', () => {
    expect(pickByWeight(Int32Array.of(0, 0), new Int32Array(2))).toBe(-1);
    expect(pickByHash(Int32Array.of(0, 0), 7)).toBe(-1);
  });

  test('gives each of the hashes the row in whose part of the sum it falls', () => {
    fc.assert(
      fc.property(splits, fc.nat(1000), (weights, hash) => {
        const rows = weights.flatMap((weight, row) => Array.from({ length: weight }, () => row));
        expect(pickByHash(Int32Array.from(weights), hash)).toBe(rows[hash % rows.length]);
      }),
    );
  });
});
