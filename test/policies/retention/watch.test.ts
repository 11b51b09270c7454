import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addGap,
  type Gap,
  type Gaps,
  MOST_GAPS,
  timeSeen,
  whenSeen,
} from '#policies/retention/watch.ts';

const gap: fc.Arbitrary<Gap> = fc
  .tuple(fc.nat(1000), fc.integer({ min: -5, max: 100 }))
  .map(([from, length]) => ({ from, to: from + length }));
const some = fc.array(gap, { maxLength: 12 });

function gather(gaps: readonly Gap[]): Gaps {
  return gaps.reduce<Gaps>(addGap, []);
}

/** Moment by moment. */
function count(from: number, to: number, gaps: readonly Gap[]): number {
  let seen = 0;
  for (let at = from; at < to; at++) {
    if (!gaps.some((each) => each.from <= at && at < each.to)) seen++;
  }
  return seen;
}

describe('time that was seen', () => {
  test('is that in no gap, whatever the gaps', () => {
    fc.assert(
      fc.property(some, fc.nat(1200), fc.nat(1200), (gaps, from, to) => {
        expect(timeSeen(from, to, gather(gaps))).toBe(count(from, to, gaps));
      }),
    );
  });

  test('is as much as is asked for, when it is said to be', () => {
    fc.assert(
      fc.property(some, fc.nat(1000), fc.nat(500), fc.nat(500), (gaps, from, period, later) => {
        const now = Math.max(from, 1200) + later;
        const at = whenSeen(from, period, now, gather(gaps));
        expect(at).toBeGreaterThanOrEqual(now);
        expect(timeSeen(from, at, gather(gaps))).toBeGreaterThanOrEqual(period);
        if (at > now) expect(timeSeen(from, at, gather(gaps))).toBe(period);
      }),
    );
  });

  test('gaps are in order and apart', () => {
    fc.assert(
      fc.property(some, (gaps) => {
        const all = gather(gaps);
        for (const [index, { from, to }] of all.entries()) {
          expect(to).toBeGreaterThan(from);
          expect(from).toBeGreaterThan(all[index - 1]?.to ?? -Infinity);
        }
      }),
    );
  });

  test('of very many gaps the nearest become one: never more time is counted', () => {
    const many = Array.from({ length: 5 * MOST_GAPS }, (_, index) => {
      const from = 100 * index + (index % 7);
      return { from, to: from + 10 };
    });
    const all = gather(many);
    expect(all).toHaveLength(MOST_GAPS);
    for (const end of [1000, 10_000, 40_000]) {
      expect(timeSeen(0, end, all)).toBeLessThanOrEqual(count(0, end, many));
    }
    expect(all.at(0)?.from).toBe(0);
    expect(all.at(-1)?.to).toBe(many.at(-1)?.to);
  });
});
