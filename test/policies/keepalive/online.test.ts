import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeSecondBins } from '#policies/keepalive/bins.ts';
import {
  beginIdleTime,
  makeOnlineFleet,
  makeOnlineModel,
  type OnlineFleet,
  passTime,
} from '#policies/keepalive/online.ts';
import type { Plan } from '#policies/keepalive/plan.ts';
import { rangeAround } from '#policies/keepalive/price.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SEEN = { memory: 1, coldCost: 1 };
/** Counting goes from hour to hour: each is told of before it ends. */
const TOLD = 30 * MINUTE;

/** One becomes idle at `begin`, is planned for like this, and nobody comes until `end`. */
function idle(all: OnlineFleet, plan: Plan, begin: number, end: number): void {
  const one = makeOnlineModel(all, begin);
  beginIdleTime(all, one, SEEN, 1, begin);
  one.shadows = Array.from(all.prices.prices, () => plan);
  for (let now = begin + TOLD; now < end; now += TOLD) passTime(all, one, SEEN, now);
  passTime(all, one, SEEN, end);
}

/** One after another becomes idle, each for as long as the plan says. */
function idleEvenly(all: OnlineFleet, plan: Plan, until: number): void {
  for (let begin = TOLD / 2; begin < until; begin += TOLD) idle(all, plan, begin, until);
}

function usedOf({ prices }: OnlineFleet): number {
  return prices.used[0]!.reduce((sum, hour) => sum + hour, 0);
}

describe('what a price would use', () => {
  test('is known before the longest idle times could be seen as often as the others', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 0, max: 30 }),
        (from, length, more) => {
          const keep: Plan = [
            { after: 0, state: 'cold' },
            { after: from * HOUR, state: 'hot' },
            { after: (from + length) * HOUR, state: 'cold' },
          ];
          // Just before the hour is over: the last 24 are whole.
          const hours = 2 * (from + length) + more;
          const all = makeOnlineFleet(makeSecondBins(), rangeAround(1), 0);
          idleEvenly(all, keep, hours * HOUR - 1);
          // Two begin each hour, each takes as many hours; and half a minute for loading it ahead.
          const perHour = 2 * (length * HOUR + MINUTE / 2);
          const share = usedOf(all) / (Math.min(hours, 24) * perHour);
          // What is told of after an hour counts for the next one.
          expect(Math.abs(share - 1)).toBeLessThan(0.02);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('never counts more than twice what was seen', () => {
    const all = makeOnlineFleet(makeSecondBins(), rangeAround(1), 0);
    idle(all, [], 0, 3 * HOUR);
    expect(usedOf(all)).toBe(6 * HOUR);
    idle(all, [], 2 * HOUR, 5 * HOUR);
    // Idle for longer than two hours is what could not be seen at the second.
    expect(usedOf(all)).toBe((6 + 3 + 1) * HOUR);
  });

  test('counts once who was idle before the counting began', () => {
    const all = makeOnlineFleet(makeSecondBins(), rangeAround(1), 2 * HOUR);
    idle(all, [], HOUR, 4 * HOUR);
    expect(usedOf(all)).toBe(3 * HOUR);
  });
});
