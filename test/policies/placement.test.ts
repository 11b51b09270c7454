import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideBackoff } from '#policies/backoff.ts';
import { type PlacementSeen, decidePlacement } from '#policies/placement.ts';

function seen(part: Partial<PlacementSeen>): PlacementSeen {
  return { budget: 1000, used: 0, leaving: 0, bytesEach: 100, more: 1, idle: [], ...part };
}

const idle = [
  { revision: 'young', bytes: 300, idleSince: 30 },
  { revision: 'old', bytes: 300, idleSince: 10 },
  { revision: 'older', bytes: 100, idleSince: 5 },
];

function makeKnown(at: number, worth: number | undefined) {
  const about = { revision: `r${at}`, bytes: 100, idleSince: 50 - at };
  return worth === undefined ? about : { ...about, worth };
}

describe('placement', () => {
  test.each([
    ['fits', { more: 3 }, { grant: 3, evict: [] }],
    ['fits exactly', { used: 700, more: 3 }, { grant: 3, evict: [] }],
    ['some of them', { used: 750, more: 3 }, { grant: 2, evict: [] }],
    ['costs nothing', { used: 5000, bytesEach: 0, more: 3 }, { grant: 3, evict: [] }],
    ['full of busy ones', { used: 1000 }, { grant: 0, evict: [] }],
    ['the longest idle goes', { used: 1000, idle }, { grant: 0, evict: ['older'] }],
    ['as many as are needed', { used: 1000, more: 2, idle }, { grant: 0, evict: ['older', 'old'] }],
    ['nobody goes in vain', { used: 1000, bytesEach: 900, idle }, { grant: 0, evict: [] }],
    [
      'what is on its way out is waited for',
      { used: 1000, leaving: 100, idle },
      { grant: 0, evict: [] },
    ],
  ])('%s', (_, part, expected) => {
    expect(decidePlacement(seen(part)).decision).toEqual({ ...expected, possible: true });
  });

  test('what is parked goes before what is ready, however lately it was used', () => {
    const parked = { revision: 'parked', bytes: 100, idleSince: 40, parked: true };
    const { decision } = decidePlacement(seen({ used: 1000, more: 2, idle: [...idle, parked] }));
    expect(decision.evict).toEqual(['parked', 'older']);
  });

  test('what is least worth its memory goes first, whatever is unknown before it', () => {
    const worths = [3, 7, undefined, Infinity, Infinity, 5];
    const known = worths.map((worth, at) => makeKnown(at, worth));
    const { decision } = decidePlacement(seen({ used: 1000, more: 5, idle: known }));
    expect(decision.evict).toEqual(['r2', 'r0', 'r5', 'r1', 'r4']);
  });

  test.each([
    ['is kept when all fits', { used: 800, standby: 100 }, { grant: 1, evict: [] }],
    ['goes first', { used: 1000, standby: 100 }, { grant: 1, evict: [], endStandby: true }],
    [
      'goes first, and others with it',
      { used: 1000, standby: 100, more: 2, idle },
      { grant: 1, evict: ['older'], endStandby: true },
    ],
    ['does not go in vain', { used: 1000, standby: 50 }, { grant: 0, evict: [] }],
  ])('what stands by %s', (_, part, expected) => {
    expect(decidePlacement(seen(part)).decision).toEqual({ ...expected, possible: true });
  });

  test('what is larger than the budget never fits, and the numbers say why', () => {
    const { decision, why } = decidePlacement(seen({ budget: 2048, bytesEach: 4096, used: 1024 }));
    expect(decision).toEqual({ grant: 0, evict: [], possible: false });
    expect(why).toBe('it can never fit: 1 instance of 4Ki asked for, 1Ki of 2Ki in use');
  });

  test('never grants beyond the budget, never sends anybody away who would not help', () => {
    const holders = fc.array(
      fc.record({ bytes: fc.integer({ min: 1, max: 500 }), idleSince: fc.nat(1000) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        holders,
        fc.nat(500),
        fc.nat(300),
        fc.nat(600),
        fc.integer({ min: 1, max: 20 }),
        (list, busy, leaving, bytesEach, more) => {
          const idle = list.map((one, index) => ({ ...one, revision: `r${index}` }));
          const used = busy + leaving + idle.reduce((sum, one) => sum + one.bytes, 0);
          const { decision, why } = decidePlacement({
            budget: 1000,
            used,
            leaving,
            bytesEach,
            more,
            idle,
          });
          expect(why).not.toBe('');
          expect(decision.grant).toBeLessThanOrEqual(more);
          if (decision.grant > 0 && bytesEach > 0) {
            expect(used + decision.grant * bytesEach).toBeLessThanOrEqual(1000);
          }
          if (decision.evict.length === 0) return;
          const gone = idle.filter((one) => decision.evict.includes(one.revision));
          const stays = idle.filter((one) => !decision.evict.includes(one.revision));
          const freed = gone.reduce((sum, one) => sum + one.bytes, 0);
          expect(used - leaving - freed + (decision.grant + 1) * bytesEach).toBeLessThanOrEqual(
            1000,
          );
          for (const one of stays) {
            for (const other of gone) expect(one.idleSince).toBeGreaterThanOrEqual(other.idleSince);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('backoff', () => {
  test('doubles up to a minute, and says so', () => {
    const pauses = [1, 2, 3, 6, 7, 50].map((attempt) => decideBackoff(attempt).decision);
    expect(pauses).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
    expect(decideBackoff(2).why).toBe('attempt 2 failed, the next follows after 2 s');
  });
});
