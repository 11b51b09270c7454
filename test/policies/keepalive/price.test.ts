import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeMinuteBins } from '#policies/keepalive/bins.ts';
import { countUse, decidePrice, makePriceMemory, rangeAround } from '#policies/keepalive/price.ts';
import { leastWorth, greedyDualWorth } from '#policies/keepalive/eviction.ts';
import { fillWorth } from '#policies/keepalive/worth.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** Each shadow used ten times as much as the one before, for so many hours. */
function used(hours: number, factor = 1, memory = makePriceMemory(rangeAround(1), 0), from = 0) {
  for (let hour = 0; hour < hours; hour++) {
    const now = (from + hour + 0.5) * HOUR;
    memory.used.forEach((_, shadow) => countUse(memory, shadow, factor * 10 ** shadow * HOUR, now));
  }
  return memory;
}

describe('the price of memory', () => {
  test('eight prices, from two minutes to a day for a typical model', () => {
    const { prices } = makePriceMemory(rangeAround(3), 0);
    expect(prices).toHaveLength(8);
    expect(3 / prices[0]!).toBeCloseTo(2 * MINUTE);
    expect(3 / prices[7]!).toBeCloseTo(24 * HOUR);
  });

  test('a wider range has more prices, as close to each other', () => {
    const { prices } = makePriceMemory({ dearest: 10_000, cheapest: 0.5 }, 0);
    expect(prices[0]).toBe(10_000);
    expect(prices.at(-1)).toBeCloseTo(0.5, 9);
    const steps = prices.subarray(1).map((price, index) => prices[index]! / price);
    expect(Math.max(...steps)).toBeLessThanOrEqual(2.6);
    expect(Math.min(...steps)).toBeGreaterThan(2);
  });

  test('is one that used the budget, or between two', () => {
    const memory = used(10);
    const { prices } = memory;
    expect(decidePrice(1000.001, memory, 10 * HOUR).decision).toBeCloseTo(prices[3]!, 12);
    const between = decidePrice(10 ** 3.5, memory, 10 * HOUR);
    expect(between.decision).toBeCloseTo(Math.sqrt(prices[3]! * prices[4]!), 12);
    expect(between.why).toBe('between prices that used 1.00e+3 and 1.00e+4 over 10h');
  });

  test('ends at the dearest and at the cheapest price', () => {
    const memory = used(10);
    expect(decidePrice(0.5, memory, 10 * HOUR).decision).toBe(memory.prices[0]);
    expect(decidePrice(1e9, memory, 10 * HOUR).decision).toBe(memory.prices[7]);
  });

  test('is the cheapest until more is wanted than there is', () => {
    const memory = makePriceMemory(rangeAround(1), 5 * HOUR);
    expect(decidePrice(1, memory, 5 * HOUR).decision).toBe(memory.prices[7]);
    memory.used.forEach((_, shadow) => countUse(memory, shadow, HOUR / 2, 5.5 * HOUR));
    expect(decidePrice(1, memory, 5.5 * HOUR).decision).toBe(memory.prices[7]);
    expect(decidePrice(0.9, memory, 5.5 * HOUR).decision).toBe(memory.prices[0]);
  });

  test('what could not be used in one hour is not there for another', () => {
    // Hours in which next to nothing was asked, before, between and after those that count.
    const quiet = used(7, 1e-6, used(10, 1, used(3, 1e-6), 3), 13);
    const { decision } = decidePrice(10 ** 3.5, quiet, 20 * HOUR);
    expect(decision / decidePrice(10 ** 3.5, used(10), 10 * HOUR).decision).toBeCloseTo(1, 2);
    // In an hour that would have used it, what was spared is spared.
    const spared = used(5, 0.1, used(5), 5);
    expect(decidePrice(10 ** 3.5, spared, 10 * HOUR).decision).toBeLessThan(decision);
  });

  test('between nothing and too much it takes its share', () => {
    const memory = makePriceMemory(rangeAround(1), 0);
    for (const shadow of [5, 6, 7]) countUse(memory, shadow, 100 * HOUR, 0.5 * HOUR);
    const { decision } = decidePrice(25, memory, HOUR);
    expect(decision).toBeCloseTo(memory.prices[4]! ** 0.75 * memory.prices[5]! ** 0.25, 12);
  });

  test('what was used more than a day ago does not count', () => {
    const memory = used(24, 1, used(29, 1000), 30);
    expect(decidePrice(1000, memory, 54 * HOUR - 1).decision).toBeCloseTo(memory.prices[3]!, 8);
    // A day without any use: the cheapest.
    expect(decidePrice(1000, memory, 90 * HOUR).decision).toBe(memory.prices[7]);
  });

  test('more budget is never dearer', () => {
    const amounts = fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(amounts, fc.nat(2000), fc.nat(2000), (list, a, b) => {
        const memory = makePriceMemory(rangeAround(1), 0);
        let sum = 0;
        list.forEach((amount, shadow) =>
          countUse(memory, shadow, (sum += amount) * HOUR, HOUR / 2),
        );
        const [less, more] = [Math.min(a, b), Math.max(a, b)].map(
          (budget) => decidePrice(budget, memory, HOUR).decision,
        );
        expect(more!).toBeLessThanOrEqual(less! * (1 + 1e-9));
      }),
    );
  });
});

describe('what a loaded model is worth', () => {
  const bins = makeMinuteBins();

  test('where requests come evenly, one over the time between them, at any age', () => {
    const into = new Float64Array(bins.count);
    const rate = 1 / (30 * MINUTE);
    const hazards = bins.to.map((to, bin) => -Math.expm1(-rate * (to - bins.from[bin]!)));
    fillWorth(bins, hazards, bins.count, into);
    for (const bin of [0, 100, 239]) expect(into[bin]! / rate).toBeCloseTo(1, 1);
  });

  test('the best that any time until which it is kept comes to', () => {
    const some = fc.array(fc.double({ min: 1e-4, max: 0.99, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(some, (hazards) => {
        const into = new Float64Array(bins.count);
        fillWorth(bins, Float64Array.from(hazards), hazards.length, into);
        hazards.forEach((_, from) => {
          let [asked, held, reached, best] = [0, 0, 1, 0];
          for (const hazard of hazards.slice(from)) {
            asked += reached * hazard;
            held += reached * MINUTE * (1 - hazard / 2);
            reached *= 1 - hazard;
            best = Math.max(best, asked / held);
          }
          expect(into[from]! / best).toBeCloseTo(1, 9);
        });
      }),
    );
  });

  test('a timer is worth most just before it is due, little just after', () => {
    const into = new Float64Array(bins.count);
    fillWorth(
      bins,
      Float64Array.from(bins.to, (_, bin) => (bin === 59 ? 0.9999 : 1e-5)),
      bins.count,
      into,
    );
    expect(into[59]!).toBeGreaterThan(30 * into[0]!);
    expect(into[30]!).toBeGreaterThan(into[0]!);
    expect(into[60]!).toBeLessThan(into[0]! / 10);
  });

  test('beyond the bins that matter the last hazard goes on', () => {
    const into = new Float64Array(bins.count);
    fillWorth(bins, Float64Array.from([0.9, 0.9, 0.9]), 3, into);
    expect(into[bins.count - 1]! * MINUTE).toBeCloseTo(0.9);
  });
});

describe('eviction', () => {
  const idle = [
    { model: 0, memory: 10, worth: 3 },
    { model: 1, memory: 10, worth: 1 },
    { model: 2, memory: 10, worth: 2 },
  ];

  test.each([
    [-5, []],
    [0, []],
    [5, [1]],
    [10, [1]],
    [11, [1, 2]],
    [100, [1, 2, 0]],
  ])('%d short: the least worth go, no more than needed', (short, expected) => {
    expect(leastWorth(idle, short).map(({ model }) => model)).toEqual(expected);
  });

  test('greedy-dual: the clock, and uses times cost over size', () => {
    expect(greedyDualWorth(7, { frequency: 3, cost: 4, memory: 6 })).toBe(9);
  });
});
