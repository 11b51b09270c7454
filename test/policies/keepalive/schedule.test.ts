import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ScheduleSpec } from '#domain/keep-alive.ts';
import { decideScheduled } from '#policies/keepalive/schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const OFFICE: ScheduleSpec = {
  cron: '0 8 * * MON-FRI',
  timeZone: 'Europe/Berlin',
  duration: 10 * HOUR,
  min: 2,
};

/** How many are kept at a time, and until when that is certain. */
function at(time: string, ...schedules: readonly ScheduleSpec[]): [number, string | undefined] {
  const { count, until } = decideScheduled(schedules, Date.parse(time)).decision;
  return [count, until === undefined ? undefined : new Date(until).toISOString().slice(0, 16)];
}

describe('what schedules keep', () => {
  test.each([
    ['before it begins', '2026-11-23T06:59:59.999Z', [0, '2026-11-23T07:00']],
    ['when it begins', '2026-11-23T07:00:00Z', [2, '2026-11-23T17:00']],
    ['just before its end', '2026-11-23T16:59:59.999Z', [2, '2026-11-23T17:00']],
    ['at its end', '2026-11-23T17:00:00Z', [0, '2026-11-24T07:00']],
    ['after that of a Friday', '2026-11-27T17:00:00Z', [0, '2026-11-30T07:00']],
    ['by the clock of the place, in summer', '2026-07-01T06:00:00Z', [2, '2026-07-01T16:00']],
  ] as const)('%s', (_, time, expected) => {
    expect(at(time, OFFICE)).toEqual(expected);
  });

  test('the most of those that run at once, and looked at when the first of them ends', () => {
    const noon = { ...OFFICE, cron: '0 12 * * *', duration: HOUR, min: 5 };
    expect(at('2026-11-23T10:59:00Z', OFFICE, noon)).toEqual([2, '2026-11-23T11:00']);
    expect(at('2026-11-23T11:00:00Z', OFFICE, noon)).toEqual([5, '2026-11-23T12:00']);
    expect(at('2026-11-22T11:00:00Z', OFFICE, noon)).toEqual([5, '2026-11-22T12:00']);
  });

  test('one that begins again before it ends runs on', () => {
    const always = { ...OFFICE, cron: '*/5 * * * *', duration: 10 * MINUTE };
    expect(at('2026-11-22T11:07:30Z', always)).toEqual([2, '2026-11-22T11:10']);
    expect(at('2026-11-22T11:10:00Z', always)).toEqual([2, '2026-11-22T11:15']);
  });

  test('nothing without schedules, for ever', () => {
    expect(at('2026-11-22T11:00:00Z')).toEqual([0, undefined]);
  });

  test('says which one keeps them', () => {
    expect(decideScheduled([OFFICE], Date.parse('2026-11-23T08:00:00Z')).why).toBe(
      'its schedule 0 8 * * MON-FRI (Europe/Berlin) keeps 2 for 10h',
    );
  });
});

test('it is what each day says, and holds for as long as it promises', () => {
  const daily = fc.record({
    begin: fc.nat(1439),
    minutes: fc.integer({ min: 1, max: 3000 }),
    min: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(
      fc.array(daily, { maxLength: 4 }),
      fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (rows, now, share) => {
        const schedules = rows.map(({ begin, minutes, min }) => {
          const cron = `${begin % 60} ${Math.floor(begin / 60)} * * *`;
          return { cron, timeZone: 'UTC', duration: minutes * MINUTE, min };
        });
        const countAt = (time: number): number =>
          rows.reduce((most, { begin, minutes, min }) => {
            const since = (time - begin * MINUTE) % DAY;
            return since < minutes * MINUTE ? Math.max(most, min) : most;
          }, 0);
        const { count, until = now + DAY } = decideScheduled(schedules, now).decision;
        expect(count).toBe(countAt(now));
        expect(until).toBeGreaterThan(now);
        expect(countAt(now + Math.floor(share * (until - now)))).toBe(count);
      },
    ),
  );
});
