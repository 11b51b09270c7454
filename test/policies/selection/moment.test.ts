import { describe, expect, test } from 'vitest';
import type { Wanted } from '#domain/selection.ts';
import { decideMoment, decideWanted } from '#policies/selection/moment.ts';

const HOUR = 3_600_000;
const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  revision: 'v2',
  why: 'it is better',
  reason: 'better',
  since: 1000,
  change: 'lowTraffic',
  ...more,
});

describe('what is wanted', () => {
  const better = { revision: 'v2', reason: 'better', why: 'by far' } as const;

  test.each([
    ['nothing before', undefined, better, wanted({ why: 'by far', since: 5000 })],
    ['the same again: it waits since then', wanted(), better, wanted({ why: 'by far' })],
    [
      'another one: it waits from now on',
      wanted({ revision: 'v3' }),
      better,
      wanted({ why: 'by far', since: 5000 }),
    ],
    ['what serves is liked again', wanted(), { reason: 'fits', why: '' } as const, undefined],
    ['thin data change nothing', wanted(), { reason: 'thin', why: '' } as const, wanted()],
    [
      'nobody takes back what was asked for by hand',
      wanted({ reason: 'manual', revision: 'v1' }),
      better,
      wanted({ reason: 'manual', revision: 'v1' }),
    ],
  ])('%s', (_, before, choice, expected) => {
    expect(decideWanted(before, choice, 'lowTraffic', 5000)).toEqual(expected);
  });
});

describe('the moment', () => {
  const quiet = { isNow: true, why: 'nobody comes' };
  const busy = { isNow: false, why: 'at 03:00' };

  test.each([
    ['nothing is wanted', undefined, quiet, 'stay', ''],
    ['it is urgent', wanted({ change: 'now' }), busy, 'change', 'at once'],
    ['it is quiet', wanted(), quiet, 'change', 'nobody comes'],
    ['it is not', wanted(), busy, 'wait', 'at 03:00'],
    ['nobody knows', wanted(), undefined, 'wait', 'it waits for a quiet time'],
  ])('%s', (_, one, now, action, why) => {
    expect(decideMoment(one, now, 24 * HOUR, 2000)).toEqual({ action, why });
  });

  test('it does not wait for ever', () => {
    const at = (time: number) => decideMoment(wanted(), busy, 24 * HOUR, time).action;
    expect(at(1000 + 24 * HOUR - 1)).toBe('wait');
    expect(at(1000 + 24 * HOUR)).toBe('change');
    const { why } = decideMoment(wanted(), busy, HOUR / 3, 1000 + HOUR / 3);
    expect(why).toBe('it has waited 20m for a quiet time');
  });
});
