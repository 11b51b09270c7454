import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PATIENCE_MS, stayMs, turnMs } from '#policies/placement/turns.ts';
import { countStartsInOrder } from '#load-tests/burst/order.ts';
import { type Request, runWorld, STEP_MS } from './world.ts';

const BUDGET = 1000;
const MOST_RUN_MS = 4000;
const MOST_START_MS = 3000;
/** After the last request all end: so long is watched. */
const REST_MS = 600_000;

const kind = fc.record({
  bytes: fc.integer({ min: 50, max: 800 }),
  startMs: fc.integer({ min: 0, max: MOST_START_MS }),
});
const requests = fc.array(
  fc.record({
    revision: fc.nat(11),
    at: fc.nat(60_000),
    runMs: fc.integer({ min: 1, max: MOST_RUN_MS }),
  }),
  { minLength: 1, maxLength: 150 },
);

/** One before another takes no longer than its start, its turn, and what it has in hand, each seen a step late. */
const ONE_MS = MOST_START_MS + turnMs(MOST_START_MS) + MOST_RUN_MS + 4 * STEP_MS;

test('all are served, nobody waits beyond its bound, and the budget holds', () => {
  fc.assert(
    fc.property(
      fc.array(kind, { minLength: 2, maxLength: 12 }),
      fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
      requests,
      (kinds, pinned, asked) => {
        const all = pinned ? [...kinds, { bytes: pinned, startMs: 0, pinned: true }] : kinds;
        const own = asked.map((one) => ({ ...one, revision: one.revision % kinds.length }));
        const outcome = runWorld(BUDGET, all, own, 60_000 + REST_MS);
        expect(outcome.served).toBe(own.length);
        expect(outcome.peak).toBeLessThanOrEqual(BUDGET);
        expect(outcome.wronged).toEqual([]);
        for (const { ms, behind } of outcome.waits) {
          expect(ms).toBeLessThanOrEqual(PATIENCE_MS + (behind + 1) * ONE_MS);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('one that is always asked gives way to another, and comes back', () => {
  const always = Array.from({ length: 600 }, (_, n) => ({ revision: 0, at: n * 100, runMs: 500 }));
  const other = [{ revision: 1, at: 10_000, runMs: 100 }];
  const kinds = [
    { bytes: BUDGET, startMs: 500 },
    { bytes: BUDGET, startMs: 500 },
  ];
  const { served, waits, starts } = runWorld(BUDGET, kinds, [...always, ...other], 120_000);
  expect(served).toBe(601);
  expect(starts).toBe(3);
  const [waited = 0] = waits.filter(({ revision }) => revision === 1).map(({ ms }) => ms);
  expect(waited).toBeGreaterThanOrEqual(PATIENCE_MS);
  expect(waited).toBeLessThan(PATIENCE_MS + 2000);
});

test('a large one is not starved by small ones that fit', () => {
  const small = Array.from({ length: 1000 }, (_, n) => ({
    revision: n % 10,
    at: n * 100,
    runMs: 2000,
  }));
  const large = { revision: 10, at: 5000, runMs: 100 };
  const kinds = [
    ...Array.from({ length: 10 }, () => ({ bytes: BUDGET / 10, startMs: 200 })),
    { bytes: BUDGET, startMs: 200 },
  ];
  const { served, waits } = runWorld(BUDGET, kinds, [...small, large], 200_000);
  expect(served).toBe(1001);
  expect(waits.find(({ revision }) => revision === 10)?.ms).toBeLessThan(15_000);
});

describe('A B C A B C becomes A A B B C C', () => {
  /** Each of so many is asked every `everyMs`, in turns. */
  function makeRounds(revisions: number, rounds: number, everyMs: number): Request[] {
    return Array.from({ length: revisions * rounds }, (_, n) => ({
      revision: n % revisions,
      at: Math.floor(n / revisions) * everyMs + (n % revisions),
      runMs: 50,
    }));
  }

  test.each([
    ['three for one place', 3, 1, 60],
    ['a hundred for ten places', 100, 10, 10],
  ])('%s', (_, revisions, places, rounds) => {
    const asked = makeRounds(revisions, rounds, 1000);
    const kinds = Array.from({ length: revisions }, () => ({
      bytes: BUDGET / places,
      startMs: 500,
    }));
    const { served, starts } = runWorld(BUDGET, kinds, asked, 300_000);
    expect(served).toBe(asked.length);
    const inOrder = countStartsInOrder(
      asked.map(({ revision }) => revision),
      places,
    );
    expect(inOrder).toBe(asked.length);
    expect(starts).toBeLessThanOrEqual(inOrder / 2);
  });
});

test('what a start took is worth as much time, within limits; a turn is four of them', () => {
  expect([0, 10, 3000, 60_000].map(stayMs)).toEqual([0, 10, 3000, 5000]);
  expect([0, 1000, 2000, 4000, 60_000].map(turnMs)).toEqual([5000, 5000, 8000, 16_000, 20_000]);
});
