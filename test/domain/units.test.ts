import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpu, duration, formatDuration, period, size } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';

describe('durations', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['1.5s', 1500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['0.5h', 1_800_000],
    ['576h', 2_073_600_000],
    ['2d', 172_800_000],
    ['24d', 2_073_600_000],
  ])('%s is %d ms', (text, ms) => {
    expect(duration.parse(text)).toBe(ms);
  });

  test.each([
    '',
    '5',
    '-1s',
    '1 s',
    '1w',
    '1S',
    's',
    '1s2ms',
    '1,5s',
    '.5s',
    '1.s',
    '1e3s',
    '577h',
    '24.1d',
    '25d',
    5,
    null,
  ])('%j is none', (value) => {
    expect(duration.safeParse(value).error?.issues[0]?.message).toMatch(/^a duration /);
  });

  test('a longer one is refused by name, and may be a period', () => {
    expect(duration.safeParse('25d').error?.issues[0]?.message).toBe('a duration of at most 24d');
    expect(period.parse('25d')).toBe(25 * 86_400_000);
    expect(period.safeParse('3651d').error?.issues[0]?.message).toBe('a period of at most 3650d');
  });

  test('the longest one fits into a timer of the system', () => {
    expect(duration.parse('576h')).toBeLessThan(2 ** 31);
  });

  test('what is formatted is read as about the same', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2_000_000_000, noNaN: true }), (ms) => {
        const back = duration.parse(formatDuration(ms));
        expect(Math.abs(back - ms)).toBeLessThanOrEqual(Math.max(0.5, ms * 0.05));
      }),
    );
  });

  test('formatting what was formatted changes nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_000_000_000 }), (ms) => {
        const once = formatDuration(ms);
        expect(formatDuration(duration.parse(once))).toBe(once);
      }),
    );
  });

  test.each([
    [0, '0ms'],
    [999.4, '999ms'],
    [1000, '1s'],
    [1549, '1.5s'],
    [90_000, '90s'],
    [300_000, '5m'],
    [7_200_000, '2h'],
  ])('%d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    [1024, 1024],
    ['1k', 1000],
    ['64Mi', 67_108_864],
    ['1.5Gi', 1_610_612_736],
    ['2G', 2_000_000_000],
  ])('%j is %d bytes', (value, bytes) => {
    expect(size.parse(value)).toBe(bytes);
  });

  test.each([
    '',
    '-1',
    '1 Mi',
    '1mi',
    '1MB',
    '1KiB',
    'Mi',
    '0x10',
    '1e6',
    1.5,
    Number.NaN,
    true,
    null,
  ])('%j is none', (value) => {
    expect(size.safeParse(value).success).toBe(false);
  });

  test('what is formatted is read as about the same, and stays the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        const text = formatSize(bytes);
        const back = size.parse(text);
        expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.05);
        expect(formatSize(back)).toBe(text);
      }),
    );
  });
});

describe('cores', () => {
  test.each([
    ['500m', 0.5],
    ['2', 2],
    ['0.25', 0.25],
    [2, 2],
    [0.5, 0.5],
  ])('%j is %d', (value, cores) => {
    expect(cpu.parse(value)).toBe(cores);
  });

  test.each(['', '-1', '1.5m', '2c', 'm', -1, Number.POSITIVE_INFINITY, 10_000, null])(
    '%j is none',
    (value) => {
      expect(cpu.safeParse(value).success).toBe(false);
    },
  );

  test('thousandths add up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), (thousandths) => {
        expect(cpu.parse(`${thousandths}m`)).toBeCloseTo(thousandths / 1000, 9);
      }),
    );
  });
});
