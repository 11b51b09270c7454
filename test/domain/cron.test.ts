import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from '#domain/cron.ts';
import { cron, timeZone } from '#domain/cron-text.ts';

const show = (found: number | undefined): string | undefined =>
  found === undefined ? undefined : new Date(found).toISOString().slice(0, 16);
const next = (text: string, after: string, zone = 'UTC'): string | undefined =>
  show(parseCron(text, zone).nextRun(Date.parse(after)));
const previous = (text: string, before: string, zone = 'UTC'): string | undefined =>
  show(parseCron(text, zone).previousRun(Date.parse(before)));

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

test('of a list or a range what is skipped comes later, once; of a step it does not', () => {
  const spring = '2026-03-28T12:00:00Z';
  expect(next('30 2,14 * * *', spring, 'Europe/Berlin')).toBe('2026-03-28T13:30');
  expect(next('30 2,14 * * *', '2026-03-28T14:00:00Z', 'Europe/Berlin')).toBe('2026-03-29T01:00');
  expect(next('*/30 2 * * *', spring, 'Europe/Berlin')).toBe('2026-03-30T00:00');
});

describe('the time before', () => {
  test.each([
    ['0 3 * * *', '2026-03-02T03:00:00Z', 'UTC', '2026-03-01T03:00'],
    ['0 3 * * *', '2026-03-02T03:00:00.001Z', 'UTC', '2026-03-02T03:00'],
    ['0 3 * * *', '2026-07-01T00:59:59Z', 'Europe/Berlin', '2026-06-30T01:00'],
    ['30 2 * * *', '2026-03-29T12:00:00Z', 'Europe/Berlin', '2026-03-29T01:00'],
    ['30 2 * * *', '2026-10-25T12:00:00Z', 'Europe/Berlin', '2026-10-25T00:30'],
    ['0 0 29 2 *', '2027-01-01T00:00:00Z', 'UTC', '2024-02-29T00:00'],
    ['0 0 30 2 *', '2026-01-01T00:00:00Z', 'UTC', undefined],
  ])('%s before %s in %s', (text, before, zone, expected) => {
    expect(previous(text, before, zone)).toBe(expected);
  });
});

test.each([
  ['0 3 * *', 'expected five fields'],
  ['0 0 3 * * *', 'expected five fields'],
  ['60 * * * *', 'minute "60": expected 0–59'],
  ['0 24 * * *', 'hour "24": expected 0–23'],
  ['0 0 0 * *', 'day of the month "0": expected 1–31'],
  ['0 0 * FOO *', 'month "FOO": expected 1–12 or JAN–DEC'],
  ['0 0 * * 5-1', 'day of the week "5-1"'],
  ['*/0 * * * *', 'minute "*/0"'],
  ['a * * * *', 'minute "a"'],
  [', * * * *', 'minute ","'],
  ['@often', 'expected five fields'],
])('%s is refused', (text, message) => {
  expect(() => parseCron(text, 'UTC')).toThrow(message);
});

test('a zone that nobody knows', () => {
  expect(timeZone.safeParse('Europe/Berlin').success).toBe(true);
  expect(timeZone.safeParse('Mars/Olympus').error?.issues[0]?.message).toBe(
    'a time zone such as Europe/Berlin',
  );
});

/** One field of a pattern, and the values that fit it. */
const field = (low: number, high: number) => {
  const all = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  const step = fc.integer({ min: 2, max: Math.min(9, high) });
  return fc.oneof(
    fc.constant({ text: '*', values: all }),
    fc.integer({ min: low, max: high }).map((one) => ({ text: String(one), values: [one] })),
    step.map((by) => ({
      text: `*/${by}`,
      values: all.filter((value) => (value - low) % by === 0),
    })),
  );
};

test('it is the first minute that fits, looked for one by one', () => {
  const fields = fc.tuple(field(0, 59), field(0, 23), field(0, 6));
  const start = fc.integer({ min: 0, max: 365 * 1440 });
  // Ahead of UTC by half an hour more, and its clock is never moved.
  const offset = 5.5 * 3_600_000;
  fc.assert(
    fc.property(fields, start, ([minutes, hours, weekdays], past) => {
      const now = Date.UTC(2026, 0, 1) + past * 60_000;
      const text = `${minutes.text} ${hours.text} * * ${weekdays.text}`;
      const fits = (time: number): boolean => {
        const at = new Date(time + offset);
        return (
          minutes.values.includes(at.getUTCMinutes()) &&
          hours.values.includes(at.getUTCHours()) &&
          weekdays.values.includes(at.getUTCDay())
        );
      };
      let [after, before] = [now + 60_000, now - 60_000];
      while (!fits(after)) after += 60_000;
      while (!fits(before)) before -= 60_000;
      const pattern = parseCron(text, 'Asia/Kolkata');
      expect([pattern.nextRun(now), pattern.previousRun(now)]).toEqual([after, before]);
    }),
    { numRuns: 200 },
  );
});

test('a model file may not name a day that never comes', () => {
  for (const never of ['0 0 30 2 *', '0 0 31 4,6,9,11 *']) {
    expect(cron.safeParse(never).error?.issues[0]?.message).toBe(
      'a day that there is, unlike 30 February',
    );
  }
  expect(cron.safeParse('0 0 29 2 *').success).toBe(true);
});
