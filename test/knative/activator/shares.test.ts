import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideShares } from '#knative/activator/shares.ts';

const sum = (slots: readonly number[]): number => slots.reduce((total, each) => total + each, 0);

const all = (pods: number, concurrency: number, count: number): number[][] =>
  Array.from({ length: count }, (_, index) => decideShares(pods, concurrency, { index, count }));

describe('shares of several activators', () => {
  const setup = [
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 1, max: 100 }),
    fc.integer({ min: 1, max: 12 }),
  ] as const;

  test('where there are as many pods as activators, all places of every pod are somebody’s, once', () => {
    fc.assert(
      fc.property(...setup, (pods, concurrency, count) => {
        fc.pre(pods >= count);
        const shares = all(pods, concurrency, count);
        for (let pod = 0; pod < pods; pod += 1) {
          expect(sum(shares.map((slots) => slots[pod] ?? 0))).toBe(concurrency);
        }
      }),
    );
  });

  test('shares differ by one place at most then', () => {
    fc.assert(
      fc.property(...setup, (pods, concurrency, count) => {
        fc.pre(pods >= count);
        const sums = all(pods, concurrency, count).map(sum);
        expect(Math.max(...sums) - Math.min(...sums)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('where there is a pod nobody has nothing, and nobody has more than a pod takes', () => {
    fc.assert(
      fc.property(...setup, (pods, concurrency, count) => {
        fc.pre(pods > 0);
        for (const slots of all(pods, concurrency, count)) {
          expect(sum(slots)).toBeGreaterThan(0);
          for (const each of slots) {
            expect(each).toBeGreaterThanOrEqual(0);
            expect(each).toBeLessThanOrEqual(concurrency);
          }
        }
      }),
    );
  });

  test.each([
    [4, 1, { index: 0, count: 2 }, [1, 1, 0, 0]],
    [4, 1, { index: 1, count: 2 }, [0, 0, 1, 1]],
    [3, 10, { index: 0, count: 2 }, [10, 5, 0]],
    [3, 10, { index: 1, count: 2 }, [0, 5, 10]],
    // As Knative's: one pod each, and two share the first.
    [2, 10, { index: 2, count: 3 }, [10, 0]],
    [2, 10, { index: 1, count: 3 }, [0, 10]],
    // Not known as an activator of this revision yet: all of them.
    [2, 10, { index: -1, count: 0 }, [10, 10]],
    [2, 10, { index: 0, count: 1 }, [10, 10]],
    [0, 10, { index: 0, count: 2 }, []],
  ])('%i pods that take %i, activator %j: %j', (pods, concurrency, place, slots) => {
    expect(decideShares(pods, concurrency, place)).toEqual(slots);
  });
});
