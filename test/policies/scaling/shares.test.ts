import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Claim, decideShares, explainShare } from '#policies/scaling/shares.ts';

function claim(id: string, part: Partial<Claim> = {}): Claim {
  return { id, size: 1, floor: 0, demand: 100, weight: 1, priority: 0, ...part };
}

function counts(budget: number, claims: readonly Claim[]): number[] {
  return decideShares(budget, claims).map(({ count }) => count);
}

const claims = fc
  .array(
    fc.record({
      size: fc.integer({ min: 1, max: 20 }),
      floor: fc.integer({ min: 0, max: 5 }),
      demand: fc.integer({ min: 0, max: 60 }),
      weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((rows) => rows.map((row, i) => claim(`m${i}`, row)));
const budgets = fc.integer({ min: 0, max: 600 });
const ofOneSize = claims.map((all) => all.map((one) => claim(one.id, { ...one, size: 1 })));

function costOf(given: readonly number[], all: readonly Claim[]): number {
  return given.reduce((sum, count, i) => sum + count * all[i]!.size, 0);
}

describe('shares', () => {
  test.each([
    ['enough for all', 300, [claim('a'), claim('b')], [100, 100]],
    ['alike', 10, [claim('a'), claim('b')], [5, 5]],
    ['by weight', 40, [claim('a', { weight: 3 }), claim('b')], [30, 10]],
    [
      'who needs less leaves the rest to others',
      40,
      [claim('a', { demand: 4 }), claim('b'), claim('c')],
      [4, 18, 18],
    ],
    ['floors first', 10, [claim('a', { floor: 8, weight: 0.1 }), claim('b')], [8, 2]],
    ['a floor is part of the share', 20, [claim('a', { floor: 4 }), claim('b')], [10, 10]],
    [
      'a floor above the demand is none',
      10,
      [claim('a', { floor: 8, demand: 2 }), claim('b')],
      [2, 8],
    ],
    [
      'a higher priority is served first',
      10,
      [claim('a', { priority: 1, demand: 7 }), claim('b')],
      [7, 3],
    ],
    ['but not before floors', 10, [claim('a', { priority: 1 }), claim('b', { floor: 2 })], [8, 2]],
    [
      'floors that do not fit, by priority',
      3,
      [claim('a', { floor: 3 }), claim('b', { floor: 2, priority: 1 })],
      [1, 2],
    ],
    ['memory, not instances', 12, [claim('a', { size: 3 }), claim('b')], [2, 6]],
    [
      'what does not fit leaves room for what does',
      4,
      [claim('a', { size: 5 }), claim('b')],
      [0, 4],
    ],
    [
      'what a large one leaves over goes to who has least of it',
      25,
      [claim('a', { size: 2 }), claim('b'), claim('c', { size: 20 })],
      [6, 13, 0],
    ],
    [
      'of what is left over, half of the next one counts',
      22,
      [claim('a', { size: 3 }), claim('b'), claim('c', { size: 24 })],
      [4, 10, 0],
    ],
    ['no instance for a part of one', 10, [claim('a', { demand: 2.5 }), claim('b')], [2, 8]],
    [
      'the first one before the second of who has more weight, by halves',
      3,
      [claim('a', { weight: 53 }), claim('b', { weight: 24 }), claim('c', { weight: 23 })],
      [1, 1, 1],
    ],
    ['nothing', 0, [claim('a', { floor: 1 })], [0]],
  ])('%s', (_, budget, all, given) => {
    expect(counts(budget, all)).toEqual(given);
  });

  test('says why one got so many', () => {
    const all = [claim('a', { weight: 3, floor: 1 }), claim('b', { demand: 1 })];
    expect(explainShare(decideShares(8, all)[0]!, all[0]!)).toBe(
      'its share is 7 instances of 100 (weight 3, floor 1)',
    );
  });

  test('on a starved budget they follow the weights within 5 %', () => {
    const weights = fc.array(fc.double({ min: 1, max: 4, noNaN: true }), {
      minLength: 2,
      maxLength: 10,
    });
    const sizes = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(weights, fc.array(sizes, { minLength: 10, maxLength: 10 }), (list, each) => {
        const all = list.map((weight, i) =>
          claim(`m${i}`, { weight, size: each[i]!, demand: 10_000 }),
        );
        const given = counts(4000, all);
        const sum = list.reduce((total, weight) => total + weight, 0);
        given.forEach((count, i) => {
          const due = (4000 * list[i]!) / sum;
          expect(Math.abs((count * each[i]!) / due - 1)).toBeLessThan(0.05);
        });
      }),
      { numRuns: 500 },
    );
  });

  test('never over the budget, never above the demand, and nothing is left that anybody could use', () => {
    fc.assert(
      fc.property(budgets, claims, (budget, all) => {
        const given = counts(budget, all);
        const left = budget - costOf(given, all);
        expect(left).toBeGreaterThanOrEqual(0);
        given.forEach((count, i) => {
          const { demand, size } = all[i]!;
          expect(count).toBeLessThanOrEqual(demand);
          if (count < demand) expect(size).toBeGreaterThan(left);
        });
      }),
      { numRuns: 2000 },
    );
  });

  test('floors are given before anything else, if all of them fit', () => {
    fc.assert(
      fc.property(budgets, claims, (budget, all) => {
        const floors = all.map(({ floor, demand }) => Math.min(floor, demand));
        fc.pre(costOf(floors, all) <= budget);
        counts(budget, all).forEach((count, i) => expect(count).toBeGreaterThanOrEqual(floors[i]!));
      }),
      { numRuns: 2000 },
    );
  });

  test('a higher priority lacks nothing that a lower one has above its floor', () => {
    fc.assert(
      fc.property(budgets, ofOneSize, (budget, all) => {
        const given = counts(budget, all);
        const lacking = all.filter(({ demand }, i) => given[i]! < demand);
        const most = Math.max(...lacking.map(({ priority }) => priority));
        all.forEach(({ priority, floor }, i) => {
          if (priority < most) expect(given[i]).toBeLessThanOrEqual(floor);
        });
      }),
      { numRuns: 1000 },
    );
  });

  test('of one size and priority nobody has more for its weight while another lacks it, but for one instance', () => {
    const fair = ofOneSize.map((all) =>
      all.map((one) => claim(one.id, { ...one, priority: 0, floor: 0 })),
    );
    fc.assert(
      fc.property(budgets, fair, (budget, all) => {
        const given = counts(budget, all);
        all.forEach((poor, i) => {
          if (given[i]! >= poor.demand) return;
          all.forEach((rich, j) => {
            expect((given[j]! - 1) / rich.weight).toBeLessThanOrEqual(
              (given[i]! + 1) / poor.weight + 1e-9,
            );
          });
        });
      }),
      { numRuns: 1000 },
    );
  });

  test('of one size: more budget takes from nobody, more weight gives no less, another that leaves takes nothing', () => {
    fc.assert(
      fc.property(budgets, fc.integer({ min: 0, max: 50 }), ofOneSize, (budget, more, all) => {
        const given = counts(budget, all);
        counts(budget + more, all).forEach((count, i) =>
          expect(count).toBeGreaterThanOrEqual(given[i]!),
        );
        const heavier = all.map((one, i) => (i === 0 ? { ...one, weight: one.weight * 2 } : one));
        expect(counts(budget, heavier)[0]).toBeGreaterThanOrEqual(given[0]!);
        counts(budget, all.slice(1)).forEach((count, i) =>
          expect(count).toBeGreaterThanOrEqual(given[i + 1]!),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('is quick with a thousand models and instances', () => {
    const many = Array.from({ length: 1000 }, (_, i) =>
      claim(`m${i}`, { weight: 1 + (i % 7), demand: 1000 }),
    );
    expect(costOf(counts(100_000, many), many)).toBe(100_000);
  });
});
