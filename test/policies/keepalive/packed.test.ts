import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeSecondBins } from '#policies/keepalive/bins.ts';
import { beginIdle, learnSurvival } from '#policies/keepalive/hazard.ts';
import { countTaken, makeIdleBudget } from '#policies/keepalive/idle-budget.ts';
import {
  beginIdleTime,
  endIdleTime,
  makeOnlineFleet,
  makeOnlineModel,
  passTime,
} from '#policies/keepalive/online.ts';
import {
  type Packed,
  packFleet,
  packHistory,
  unpackFleet,
  unpackHistory,
} from '#policies/keepalive/packed.ts';
import { rangeAround } from '#policies/keepalive/price.ts';

const SECOND = 1000;
const SEEN = { memory: 1, coldCost: 1 };
const BINS = makeSecondBins();

/** After these idle times, and idle for a while since then. */
function learn(gaps: readonly number[]) {
  const all = makeOnlineFleet(BINS, rangeAround(1), 0);
  const one = makeOnlineModel(all, 0);
  const idle = makeIdleBudget(0);
  let now = 7_200_000;
  endIdleTime(all, one, SEEN, now);
  for (const seconds of gaps) {
    beginIdleTime(all, one, SEEN, 1, now);
    now += seconds * SECOND;
    passTime(all, one, SEEN, now);
    endIdleTime(all, one, SEEN, now);
    countTaken(idle, seconds, now);
  }
  beginIdleTime(all, one, SEEN, 1, now);
  now += 100 * SECOND;
  passTime(all, one, SEEN, now);
  return { all, one, idle, now };
}

/** Through JSON, as a store would. */
const stored = (packed: Packed): Packed => JSON.parse(JSON.stringify(packed));

const gaps = fc.array(fc.integer({ min: 2, max: 100_000 }), { maxLength: 30 });

describe('what was learned', () => {
  test('comes back as it was, to four digits: the hazards are the same', () => {
    fc.assert(
      fc.property(gaps, (list) => {
        const { all, one, idle, now } = learn(list);
        const history = unpackHistory(stored(packHistory(one.history)), BINS);
        const fleet = unpackFleet(stored(packFleet(all, idle)), BINS);
        expect(fleet?.idle).toEqual(idle);
        expect(fleet?.all.prices.prices).toEqual(all.prices.prices);
        expect(history?.gaps).toBe(list.length);
        for (const each of [one.history, history!]) learnSurvival(all.fleet, each, now);
        const hazards = [
          [all.fleet, one.history] as const,
          [fleet!.all.fleet, history!] as const,
        ].map(([pooled, own]) => {
          beginIdle(pooled, own, now);
          return pooled.hazards.slice(0, pooled.reached);
        });
        hazards[0]!.forEach((hazard, bin) => {
          const other = hazards[1]![bin] ?? hazard;
          expect(Math.abs(Math.log(other / hazard))).toBeLessThan(0.05);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('is compact', () => {
    const { all, one, idle } = learn(Array.from({ length: 200 }, (_, at) => 7 + 31 * at));
    expect(JSON.stringify(packHistory(one.history)).length).toBeLessThan(3000);
    expect(JSON.stringify(packFleet(all, idle)).length).toBeLessThan(40_000);
  });

  test('is undefined when anything in it does not fit, and nothing is thrown', () => {
    const { all, one, idle } = learn([60, 3600, 60, 90_000]);
    const history = packHistory(one.history);
    const fleet = packFleet(all, idle);
    const wrong = [
      'text',
      {},
      ['a'],
      Array.from({ length: 5000 }, () => 1),
      [-1, -1],
      true,
      undefined,
    ];
    for (const name of Object.keys(history)) {
      for (const value of wrong) {
        expect(unpackHistory({ ...history, [name]: value }, BINS), name).toBeUndefined();
      }
    }
    for (const name of Object.keys(fleet)) {
      for (const value of wrong) {
        if (name === 'weights' && Array.isArray(value) && value.length === 2) continue;
        expect(unpackFleet({ ...fleet, [name]: value }, BINS), name).toBeUndefined();
      }
    }
  });

  test('nor is anything thrown by anything else', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(unpackHistory(value, BINS)).toBeUndefined();
        expect(unpackFleet(value, BINS)).toBeUndefined();
      }),
    );
  });

  test.each([
    ['context', 7],
    ['context', 1.5],
    ['nextBin', -1],
    ['nextBin', 9999],
    ['gaps', -1],
    ['level', [1, 1]],
  ])('%s %j is of no history', (name, value) => {
    const packed = packHistory(learn([60]).one.history);
    expect(unpackHistory(packed, BINS)).toBeDefined();
    expect(unpackHistory({ ...packed, [name]: value }, BINS)).toBeUndefined();
  });

  test.each([
    ['prices', { prices: [2, 1] }],
    ['prices', { used: [] }],
    ['prices', { used: Array.from({ length: 8 }, () => [-5]) }],
    ['prices', { prices: Array.from({ length: 8 }, () => 1) }],
    ['prices', { since: 'then' }],
    ['idle', { weight: 'much' }],
  ] as const)('%s with %j is of no fleet', (name, part) => {
    const { all, idle } = learn([60]);
    const packed = packFleet(all, idle);
    expect(unpackFleet(packed, BINS)).toBeDefined();
    const other = { ...packed, [name]: { ...(packed[name] as object), ...part } };
    expect(unpackFleet(other, BINS)).toBeUndefined();
  });
});
