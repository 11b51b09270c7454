import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bet, logEvidence, NO_BETS } from '#policies/rollout/odds.ts';

function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return ways;
}

/** Chances of each number of events on this side, given all of both, where its odds are so many times the other's. */
function chances(trials: number, otherTrials: number, all: number, odds: number): number[] {
  const ways = Array.from({ length: trials + 1 }, (_, x) =>
    all - x >= 0 && all - x <= otherTrials
      ? choose(trials, x) * choose(otherTrials, all - x) * odds ** x
      : 0,
  );
  const sum = ways.reduce((total, each) => total + each, 0);
  return ways.map((each) => each / sum);
}

/** The mean of what one unit has become after one table, if the odds were so. */
function meanWealth(trials: number, otherTrials: number, all: number, odds: number): number {
  return chances(trials, otherTrials, all, odds).reduce((mean, chance, events) => {
    if (chance === 0) return mean;
    const table = { events, trials, otherEvents: all - events, otherTrials };
    return mean + chance * Math.exp(logEvidence(bet(NO_BETS, table)));
  }, 0);
}

const tables = fc
  .record({ trials: fc.integer({ min: 0, max: 40 }), otherTrials: fc.integer({ min: 0, max: 40 }) })
  .chain(({ trials, otherTrials }) =>
    fc.record({
      trials: fc.constant(trials),
      otherTrials: fc.constant(otherTrials),
      all: fc.integer({ min: 0, max: trials + otherTrials }),
    }),
  );

test('with equal odds a bet is fair, exactly, for any table', () => {
  fc.assert(
    fc.property(tables, ({ trials, otherTrials, all }) => {
      expect(meanWealth(trials, otherTrials, all, 1)).toBeCloseTo(1, 9);
    }),
  );
});

test('where events are less likely on this side it loses on the average', () => {
  fc.assert(
    fc.property(tables, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (table, odds) => {
      expect(meanWealth(table.trials, table.otherTrials, table.all, odds)).toBeLessThan(1 + 1e-9);
    }),
  );
});

test('large tables are summed without overflow, and as small ones are', () => {
  const table = { events: 9000, trials: 100_000, otherEvents: 60_000, otherTrials: 900_000 };
  const bets = bet(NO_BETS, table);
  expect(bets.every(Number.isFinite)).toBe(true);
  expect(logEvidence(bets)).toBeGreaterThan(100);
  const even = { events: 7000, trials: 100_000, otherEvents: 63_000, otherTrials: 900_000 };
  expect(logEvidence(bet(NO_BETS, even))).toBeLessThan(0);
});

test('a few failures against none of many are enough', () => {
  const table = { events: 5, trials: 300, otherEvents: 0, otherTrials: 5000 };
  expect(logEvidence(bet(NO_BETS, table))).toBeGreaterThan(Math.log(1000));
});

test.each([
  ['no trials here', { events: 0, trials: 0, otherEvents: 3, otherTrials: 10 }],
  ['no trials there', { events: 3, trials: 10, otherEvents: 0, otherTrials: 0 }],
  ['no events', { events: 0, trials: 10, otherEvents: 0, otherTrials: 10 }],
  ['nothing but events', { events: 10, trials: 10, otherEvents: 10, otherTrials: 10 }],
])('nothing is learned from %s', (_, table) => {
  expect(bet(NO_BETS, table)).toEqual(NO_BETS);
});

test('what was won or lost before is carried on', () => {
  const table = { events: 4, trials: 20, otherEvents: 5, otherTrials: 50 };
  const once = bet(NO_BETS, table);
  const twice = bet(once, table);
  for (const [index, wealth] of twice.entries()) expect(wealth).toBeCloseTo(2 * once[index]!, 12);
});
