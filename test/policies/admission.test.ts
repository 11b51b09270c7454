import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decideAdmission,
  decideShare,
  FULL_BYTES,
  FULL_COUNT,
  GRANT,
  HOLD,
  mayReadOn,
  NO_HOLD,
} from '#policies/admission.ts';

const LIMITS = { requests: 3, bytes: 100 };

test.each([
  ['room, and nobody waits', true, 0, 0, 10, 1000, GRANT],
  ['room for who does not want to wait', true, 0, 0, 10, 0, GRANT],
  ['room, but others wait already', true, 1, 10, 10, 1000, HOLD],
  ['no room, and it does not want to wait', false, 0, 0, 10, 0, NO_HOLD],
  ['as many wait as may', false, 3, 30, 10, 1000, FULL_COUNT],
  ['its bytes just fit', false, 2, 90, 10, 1000, HOLD],
  ['its bytes do not', false, 2, 91, 10, 1000, FULL_BYTES],
])('%s', (_, free, waiting, waitingBytes, bytes, holdMs, expected) => {
  expect(decideAdmission(free, waiting, waitingBytes, bytes, holdMs, LIMITS)).toBe(expected);
});

test.each([
  [10, 3, 3],
  [10, 1, 10],
  [2, 4, 1],
])('of %d each of %d processes may have %d', (total, processes, expected) => {
  expect(decideShare(total, processes)).toBe(expected);
});

test('who reads on alone has half of a quarter at least; all together leave a quarter free, however many come', () => {
  const limit = 64 * 1024;
  const read = fc.record({ who: fc.nat(200), bytes: fc.integer({ min: 1, max: 128 }) });
  fc.assert(
    fc.property(fc.array(read, { maxLength: 3000 }), (reads) => {
      const held = new Map<number, number>();
      let sum = 0;
      for (const { who, bytes } of reads) {
        const mine = held.get(who) ?? 0;
        const more = mine < 64 ? 64 - mine : bytes;
        const isAllowed = mayReadOn(mine, sum, limit);
        if (held.size <= 1 && mine === sum && mine < limit / 8) expect(isAllowed).toBe(true);
        if (!isAllowed) continue;
        held.set(who, mine + more);
        sum += more;
      }
      expect(sum).toBeLessThanOrEqual((limit * 3) / 4);
      for (const mine of held.values()) expect(mine).toBeLessThanOrEqual(limit / 8 + 128);
    }),
  );
});
