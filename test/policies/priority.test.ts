import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DISPLACE, decideFull, FULL_BYTES, FULL_COUNT, OVER_SHARE } from '#policies/admission.ts';
import { HEAD_START_MS, HIGH, LOW, NORMAL, pickClass } from '#policies/priority.ts';

const NOBODY = Number.POSITIVE_INFINITY;

describe('which class is next', () => {
  test.each([
    [NOBODY, NOBODY, NOBODY, -1],
    [5, 5, 5, HIGH],
    [NOBODY, 5, 5, NORMAL],
    [NOBODY, NOBODY, 5, LOW],
    [HEAD_START_MS, 0, NOBODY, HIGH],
    [HEAD_START_MS + 1, 0, NOBODY, NORMAL],
    [2 * HEAD_START_MS, NOBODY, 0, HIGH],
    [2 * HEAD_START_MS + 1, NOBODY, 0, LOW],
    [NOBODY, HEAD_START_MS + 1, 0, LOW],
    [0, 0, 1, HIGH],
  ])('arrivals %d, %d, %d: %d', (high, normal, low, expected) => {
    expect(pickClass(high, normal, low)).toBe(expected);
  });

  test('nobody is passed over for one that came more than a head start per class later', () => {
    const arrival = fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.constant(NOBODY));
    fc.assert(
      fc.property(fc.tuple(arrival, arrival, arrival), (arrivals) => {
        const picked = pickClass(...arrivals);
        if (picked < 0) return arrivals.every((at) => at === NOBODY);
        return arrivals.every((at, c) => arrivals[picked]! <= at + (c - picked) * HEAD_START_MS);
      }),
    );
  });
});

describe('a full queue', () => {
  test.each([
    { mine: 0, most: 5, callers: 1, expected: DISPLACE },
    { mine: 3, most: 5, callers: 3, expected: DISPLACE },
    { mine: 4, most: 5, callers: 3, expected: FULL_COUNT },
    { mine: 5, most: 5, callers: 2, expected: OVER_SHARE },
    { mine: 5, most: 5, callers: 1, expected: FULL_COUNT },
    { mine: 0, most: 1, callers: 9, expected: FULL_COUNT },
    { mine: 1, most: 1, callers: 9, expected: OVER_SHARE },
    { mine: 0, most: 0, callers: 0, expected: FULL_COUNT },
  ])(
    '$mine of at most $most with $callers callers: $expected',
    ({ mine, most, callers, expected }) => {
      expect(decideFull(FULL_COUNT, mine, 1, most, callers)).toBe(expected);
    },
  );

  test.each([
    { mine: 0, more: 99, most: 100, callers: 1, expected: DISPLACE },
    { mine: 0, more: 100, most: 100, callers: 1, expected: FULL_BYTES },
    { mine: 40, more: 59, most: 100, callers: 2, expected: DISPLACE },
    { mine: 40, more: 60, most: 100, callers: 2, expected: FULL_BYTES },
    { mine: 100, more: 1, most: 100, callers: 2, expected: OVER_SHARE },
    { mine: 100, more: 1, most: 100, callers: 1, expected: FULL_BYTES },
    { mine: 0, more: 1, most: 0, callers: 3, expected: FULL_BYTES },
  ])(
    '$more bytes for $mine of at most $most with $callers callers: $expected',
    ({ mine, more, most, callers, expected }) => {
      expect(decideFull(FULL_BYTES, mine, more, most, callers)).toBe(expected);
    },
  );

  test('who gave way does not get it back from who took it: nobody takes turns in being refused', () => {
    const amount = fc.nat(1000);
    fc.assert(
      fc.property(amount, amount, amount, amount, (mine, more, most, given) => {
        fc.pre(given <= most && decideFull(FULL_BYTES, mine, more, most, 2) === DISPLACE);
        const back = decideFull(FULL_BYTES, most - given, given, mine + more, 2);
        expect(back).not.toBe(DISPLACE);
      }),
    );
  });
});
