import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Arrivals, decideQuiet } from '#policies/selection/quiet.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A Monday. */
const START = Date.UTC(2026, 0, 5);

/** Requests per minute by `rate`, from START until `now`. */
function traffic(now: number, rate: (at: Date) => number): Arrivals {
  const arrivals: [number, number][] = [];
  for (let at = START; at < now; at += MINUTE) {
    arrivals.push([Math.floor(at / MINUTE), rate(new Date(at))]);
  }
  return arrivals.filter(([, count]) => count > 0);
}

const night = (at: Date): number => (at.getUTCHours() >= 2 && at.getUTCHours() < 4 ? 1 : 50);

function decide(
  now: number,
  rate: (at: Date) => number,
  more: { until?: number; length?: number },
) {
  const { until = now + DAY, length = HOUR } = more;
  return decideQuiet({ length }, { arrivals: traffic(now, rate), since: START, until }, now);
}

describe('the quiet time', () => {
  test('is found in the days before, and waited for', () => {
    const now = START + 3 * DAY + 12 * HOUR;
    const quiet = decide(now, night, {});
    expect(quiet).toEqual({
      window: { start: START + 4 * DAY + 2 * HOUR, end: START + 4 * DAY + 3 * HOUR },
      isNow: false,
      why: 'the least traffic is expected from 02:00 UTC to 03:00 UTC',
    });
  });

  test('is now, when it has begun', () => {
    const now = START + 3 * DAY + 2.5 * HOUR;
    expect(decide(now, night, { length: 2 * HOUR })).toMatchObject({ isNow: true });
    expect(decide(START + 3 * DAY + 1.9 * HOUR, night, { length: 2 * HOUR }).isNow).toBe(false);
  });

  test('follows the week where a week is known', () => {
    const weekend = (at: Date): number => {
      if (at.getUTCDay() === 6) return at.getUTCHours() === 15 ? 1 : 60;
      return at.getUTCHours() === 3 ? 10 : 50;
    };
    const friday = START + 11 * DAY + 20 * HOUR;
    expect(decide(friday, weekend, {}).window?.start).toBe(START + 12 * DAY + 15 * HOUR);
    const tuesday = START + 8 * DAY + 20 * HOUR;
    expect(decide(tuesday, weekend, {}).window?.start).toBe(START + 9 * DAY + 3 * HOUR);
  });

  test('is looked for only as long as a change may wait', () => {
    const now = START + 3 * DAY + 12 * HOUR;
    const { window } = decide(now, night, { until: now + 3 * HOUR });
    expect(window?.start).toBeLessThanOrEqual(now + 3 * HOUR);
  });

  test('is not known after some hours', () => {
    const quiet = decide(START + 5 * HOUR, () => 5, {});
    expect(quiet).toEqual({
      isNow: false,
      why: 'its quiet time is not known: 5 hours of traffic are stored, 24 are needed',
    });
  });

  test('is whenever nobody comes', () => {
    const now = START + 3 * DAY + 12 * HOUR;
    const until = (end: number) => traffic(end, () => 5);
    const ask = (arrivals: Arrivals) =>
      decideQuiet({ length: HOUR }, { arrivals, since: START, until: now + DAY }, now);
    expect(ask(until(now - 20 * MINUTE))).toEqual({
      isNow: true,
      why: 'nobody has come for 20 minutes',
    });
    expect(ask(until(now - 10 * MINUTE)).why).not.toContain('nobody');
    expect(ask([]).isNow).toBe(true);
  });
});

test('no other start within reach has less traffic to be expected of a steady day', () => {
  const rates = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 24, maxLength: 24 });
  const hours = fc.integer({ min: 1, max: 12 });
  const clock = fc.integer({ min: 0, max: 23 });
  fc.assert(
    fc.property(rates, hours, clock, (rate, length, hour) => {
      const now = START + 4 * DAY + hour * HOUR;
      const of = (at: Date): number => rate[at.getUTCHours()] ?? 0;
      const { window, isNow } = decide(now, of, { length: length * HOUR });
      const sum = (start: number): number => {
        let all = 0;
        for (let at = start; at < start + length * HOUR; at += 15 * MINUTE) all += of(new Date(at));
        return all;
      };
      const found = window ?? expect.unreachable();
      expect(isNow).toBe(found.start <= now && now < found.end);
      for (let start = now; start <= now + DAY; start += 15 * MINUTE) {
        expect(sum(found.start)).toBeLessThanOrEqual(sum(start));
      }
    }),
    { numRuns: 40 },
  );
});
