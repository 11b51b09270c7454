import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cron, nextAfter, parseCron } from '#domain/cron.ts';
import { cron } from '#domain/schedule.ts';
import { findTimeZone } from '#domain/time-zone.ts';

const zoneOf = (name: string) => findTimeZone(name) ?? expect.unreachable(name);
const next = (text: string, after: string, zone = 'UTC'): string | undefined => {
  const found = nextAfter(parseCron(text), zoneOf(zone), Date.parse(after));
  return found === undefined ? undefined : new Date(found).toISOString().slice(0, 16);
};

describe('the next time', () => {
  test.each([
    ['* * * * *', '2026-03-01T10:00:30Z', 'UTC', '2026-03-01T10:01'],
    ['*/15 * * * *', '2026-03-01T10:00:00Z', 'UTC', '2026-03-01T10:15'],
    ['5/20 * * * *', '2026-03-01T10:26:00Z', 'UTC', '2026-03-01T10:45'],
    ['0 3 * * *', '2026-03-01T03:00:00Z', 'UTC', '2026-03-02T03:00'],
    ['0 3 * * *', '2026-07-01T00:30:00Z', 'Europe/Berlin', '2026-07-01T01:00'],
    ['0 3 * * *', '2026-01-01T00:30:00Z', 'Europe/Berlin', '2026-01-01T02:00'],
    ['30 9 * * *', '2026-01-01T00:00:00Z', 'Asia/Kolkata', '2026-01-01T04:00'],
    ['30 22 * * 1-5', '2026-11-20T23:00:00Z', 'UTC', '2026-11-23T22:30'],
    ['0 0 * * 7', '2026-11-20T00:00:00Z', 'UTC', '2026-11-22T00:00'],
    ['0 0 * * sun', '2026-11-20T00:00:00Z', 'UTC', '2026-11-22T00:00'],
    ['0 0 1 jan,JUL *', '2026-02-01T00:00:00Z', 'UTC', '2026-07-01T00:00'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', 'UTC', '2028-02-29T00:00'],
    ['0 0 13 * 5', '2026-11-20T00:30:00Z', 'UTC', '2026-11-27T00:00'],
    ['@weekly', '2026-11-20T00:00:00Z', 'UTC', '2026-11-22T00:00'],
    ['0 0 30 2 *', '2026-01-01T00:00:00Z', 'UTC', undefined],
  ])('%s after %s in %s', (text, after, zone, expected) => {
    expect(next(text, after, zone)).toBe(expected);
  });

  test('what the clock skips comes when it has been put forward', () => {
    expect(next('30 2 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin')).toBe('2026-03-29T01:00');
    expect(next('30 2 * * *', '2026-03-29T01:00:00Z', 'Europe/Berlin')).toBe('2026-03-30T00:30');
  });

  test('what the clock shows twice comes once, but for each hour twice', () => {
    expect(next('30 2 * * *', '2026-10-25T00:00:00Z', 'Europe/Berlin')).toBe('2026-10-25T00:30');
    expect(next('30 2 * * *', '2026-10-25T00:30:00Z', 'Europe/Berlin')).toBe('2026-10-26T01:30');
    expect(next('30 * * * *', '2026-10-25T00:30:00Z', 'Europe/Berlin')).toBe('2026-10-25T01:30');
  });
});

test.each([
  ['0 3 * *', 'expected five fields'],
  ['60 * * * *', 'minute "60": expected 0–59'],
  ['0 24 * * *', 'hour "24": expected 0–23'],
  ['0 0 0 * *', 'day of the month "0": expected 1–31'],
  ['0 0 * FOO *', 'month "FOO": expected 1–12 or JAN–DEC'],
  ['0 0 * * 5-1', 'day of the week "5-1"'],
  ['*/0 * * * *', 'minute "*/0"'],
  ['a * * * *', 'minute "a"'],
  [', * * * *', 'minute ""'],
])('%s is refused', (text, message) => {
  expect(() => parseCron(text)).toThrow(message);
});

test('a zone that nobody knows', () => {
  expect(findTimeZone('Europe/Berlin')?.name).toBe('Europe/Berlin');
  expect(findTimeZone('Mars/Olympus')).toBeUndefined();
});

test('it is the first minute that fits, looked for one by one', () => {
  const field = (low: number, high: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min: low, max: high }).map(String),
      fc.integer({ min: 2, max: Math.min(9, high) }).map((step) => `*/${step}`),
    );
  const text = fc
    .tuple(field(0, 59), field(0, 23), fc.constant('*'), fc.constant('*'), field(0, 6))
    .map((parts) => parts.join(' '));
  const start = fc.integer({ min: 0, max: 365 * 1440 });
  const zone = zoneOf('America/St_Johns');
  fc.assert(
    fc.property(text, start, (cronText, minutes) => {
      const now = Date.UTC(2026, 0, 1) + minutes * 60_000;
      const cron = parseCron(cronText);
      const found = nextAfter(cron, zone, now) ?? Number.NaN;
      // Apart from the two days on which the clock is moved.
      const offset = zone.offsetAt(now);
      fc.pre(zone.offsetAt(found) === offset && found - now < 8 * 86_400_000);
      let slow = now + 60_000;
      while (!matches(cron, slow + offset)) slow += 60_000;
      expect(found).toBe(slow);
    }),
    { numRuns: 200 },
  );
});

function matches(cron: Cron, wall: number): boolean {
  const at = new Date(wall);
  return (
    cron.minutes.has(at.getUTCMinutes()) &&
    cron.hours.has(at.getUTCHours()) &&
    cron.weekdays.has(at.getUTCDay())
  );
}

test('a model file may not name a day that never comes', () => {
  for (const never of ['0 0 30 2 *', '0 0 31 4,6,9,11 *']) {
    expect(cron.safeParse(never).error?.issues[0]?.message).toBe(
      'a day that there is, unlike 30 February',
    );
  }
  expect(cron.safeParse('0 0 29 2 *').success).toBe(true);
});
