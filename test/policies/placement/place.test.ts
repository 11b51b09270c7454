import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Holder } from '#policies/placement/holders.ts';
import type { Claim } from '#policies/placement/line.ts';
import {
  type PlacementDecision,
  type PlacementSeen,
  decidePlacement,
} from '#policies/placement/place.ts';
import { decideRelief } from '#policies/placement/relief.ts';
import { PATIENCE_MS } from '#policies/placement/turns.ts';

const NOW = 100_000;

function makeClaim(part: Partial<Claim> = {}): Claim {
  return { revision: 'asker', bytesEach: 100, more: 1, since: NOW, ...part };
}

function makeHolder(revision: string, bytes: number, part: Partial<Holder> = {}): Holder {
  return { revision, bytes, state: 'idle', idleSince: 0, readyAt: 0, startMs: 0, ...part };
}

type Part = Partial<Omit<PlacementSeen, 'asker'>> & { readonly asker?: Partial<Claim> };

function place(part: Part): ReturnType<typeof decidePlacement> {
  const asker = makeClaim(part.asker);
  return decidePlacement({ budget: 1000, used: 0, before: [], holders: [], ...part, asker }, NOW);
}

/** Names of who goes in the place of all that is said of them. */
function brief({ evict, ...rest }: PlacementDecision): Record<string, unknown> {
  return { ...rest, evict: evict.map(({ revision }) => revision) };
}

const OVERDUE = { since: NOW - PATIENCE_MS };
const idle = [
  makeHolder('young', 300, { idleSince: 30 }),
  makeHolder('old', 300, { idleSince: 10 }),
  makeHolder('older', 100, { idleSince: 5 }),
];
const inUse = [
  makeHolder('first', 500, { state: 'inUse', readyAt: NOW - 9000 }),
  makeHolder('second', 500, { state: 'inUse', readyAt: NOW - 6000 }),
];
const leaving = (since = NOW): Holder => makeHolder('gone', 0, { leaving: { bytes: 100, since } });

describe('who may start', () => {
  test.each<[string, Part, Record<string, unknown>]>([
    ['fits', { asker: { more: 3 } }, { grant: 3 }],
    ['fits exactly', { used: 700, asker: { more: 3 } }, { grant: 3 }],
    ['some of them', { used: 750, asker: { more: 3 } }, { grant: 2 }],
    ['costs nothing', { used: 5000, asker: { bytesEach: 0, more: 3 } }, { grant: 3 }],
    ['full of busy ones', { used: 1000 }, { again: NOW + PATIENCE_MS }],
    ['the longest idle goes', { used: 1000, holders: idle }, { evict: ['older'] }],
    [
      'as many as are needed',
      { used: 1000, asker: { more: 2 }, holders: idle },
      { evict: ['older', 'old'] },
    ],
    [
      'nobody goes in vain',
      { used: 1000, asker: { bytesEach: 900 }, holders: idle },
      { evict: [] },
    ],
    [
      'what is on its way out is waited for',
      { used: 1000, holders: [...idle, leaving()] },
      { evict: [] },
    ],
    [
      'but not when that takes too long',
      { used: 1000, holders: [...idle, leaving(NOW - 60_000)] },
      { evict: ['older'] },
    ],
    [
      'what is on its way out is for who is before',
      { used: 1000, holders: [...idle, leaving()], before: [makeClaim({ revision: 'before' })] },
      { evict: ['older'] },
    ],
    [
      'what is free is for who is before',
      { used: 900, before: [makeClaim({ revision: 'before' })] },
      { grant: 0 },
    ],
    [
      'who is before leaves what it cannot use',
      { used: 900, before: [makeClaim({ revision: 'before', bytesEach: 500 })] },
      { grant: 1 },
    ],
    [
      'but not when it has waited for too long',
      {
        used: 900,
        before: [makeClaim({ revision: 'before', bytesEach: 500, ...OVERDUE })],
        holders: idle,
      },
      { grant: 0, evict: [] },
    ],
    [
      'unless it could never have enough',
      {
        used: 900,
        before: [makeClaim({ revision: 'before', bytesEach: 500, ...OVERDUE })],
        holders: [makeHolder('pin', 600, { state: 'pinned' })],
      },
      { grant: 1 },
    ],
    [
      'nor for who has an instance',
      { used: 900, before: [makeClaim({ revision: 'before', bytesEach: 500, since: undefined })] },
      { grant: 1 },
    ],
  ])('%s', (_, part, expected) => {
    const { decision } = place(part);
    expect(brief(decision)).toMatchObject({ grant: 0, evict: [], possible: true, ...expected });
  });

  test('what is larger than the budget never fits, and the numbers say why', () => {
    const { decision, why } = place({ budget: 2048, used: 1024, asker: { bytesEach: 4096 } });
    expect(decision).toEqual({ grant: 0, evict: [], possible: false });
    expect(why).toBe('it can never fit: 1 instance of 4Ki asked for, 1Ki of 2Ki in use');
  });

  test('the reason says what is waited for, and behind whom', () => {
    const before = ['a', 'b', 'c'].map((revision) => makeClaim({ revision }));
    expect(place({ used: 1000, before: before.slice(0, 1) }).why).toMatch(
      /in use: waiting; behind a$/,
    );
    expect(place({ used: 1000, before }).why).toMatch(/; behind a and 2 others$/);
    const large = [makeClaim({ revision: 'large', bytesEach: 1000, since: NOW - 7000 })];
    expect(place({ used: 900, before: large }).why).toContain(
      'kept for large, which has waited 7s',
    );
  });
});

describe('who goes', () => {
  test('what is parked goes before what is ready, however lately it was used', () => {
    const parked = makeHolder('parked', 100, { idleSince: 40, state: 'parked' });
    const { decision } = place({ used: 1000, asker: { more: 2 }, holders: [...idle, parked] });
    expect(brief(decision)).toMatchObject({ evict: ['parked', 'older'] });
    expect(decision.evict[0]?.why).toBe(
      'idle, and asker needs the memory: what is parked goes first',
    );
  });

  test('what is least worth its memory goes first, whatever is unknown before it', () => {
    const worths = [3, 7, undefined, Infinity, Infinity, 5];
    const holders = worths.map((worth, at) =>
      makeHolder(`r${at}`, 100, { idleSince: 50 - at, ...(worth !== undefined && { worth }) }),
    );
    const { decision } = place({ used: 1000, asker: { more: 5 }, holders });
    expect(brief(decision)).toMatchObject({ evict: ['r2', 'r0', 'r5', 'r1', 'r4'] });
    const whys = decision.evict.map(({ why }) => why);
    expect(whys[1]).toContain('among the least worth its memory of 6 that are idle');
    expect(whys[4]).toContain('among the longest idle of 6');
  });

  test('what was just started stays for as long as its start took', () => {
    const fresh = makeHolder('fresh', 100, { readyAt: NOW - 1000, startMs: 3000 });
    const { decision } = place({ used: 1000, holders: [fresh] });
    expect(brief(decision)).toMatchObject({ evict: [], again: NOW + 2000 });
    const parked: Holder = { ...fresh, state: 'parked' };
    expect(place({ used: 1000, holders: [parked] }).decision.evict).toHaveLength(1);
  });

  test.each<[string, Part, Record<string, unknown>]>([
    ['nobody in use, at first', { holders: inUse }, { evict: [], again: NOW + PATIENCE_MS }],
    [
      'whose turn began first, after a while',
      { asker: OVERDUE, holders: inUse },
      { evict: ['first'] },
    ],
    [
      'as many as one instance needs',
      { asker: { ...OVERDUE, bytesEach: 600 }, holders: inUse },
      { evict: ['first', 'second'] },
    ],
    [
      'not for more of what has one',
      { asker: { since: undefined }, holders: inUse },
      { evict: [] },
    ],
    [
      'nobody whose turn is not over',
      { asker: OVERDUE, holders: [{ ...inUse[1]!, startMs: 3000 }] },
      { evict: [], again: NOW + 6000 },
    ],
    [
      'nobody who still starts',
      { asker: OVERDUE, holders: [{ ...inUse[0]!, readyAt: undefined }] },
      { evict: [] },
    ],
    [
      'nobody who is pinned',
      { asker: OVERDUE, holders: [{ ...inUse[0]!, state: 'pinned' }] },
      { evict: [] },
    ],
    [
      'the idle before them',
      { asker: OVERDUE, holders: [...inUse, ...idle] },
      { evict: ['older'] },
    ],
    [
      'nobody, when one is on its way',
      { asker: OVERDUE, holders: [...inUse, leaving()] },
      { evict: [] },
    ],
  ])('%s', (_, part, expected) => {
    expect(brief(place({ used: 1000, ...part }).decision)).toMatchObject(expected);
  });

  test('who gives way in use is told for whom, and that its turn is over', () => {
    const { decision, why } = place({ used: 1000, asker: OVERDUE, holders: inUse });
    expect(decision.evict[0]?.why).toBe(
      'asker has waited 5s for memory, and its turn of 5s is over',
    );
    expect(why).toContain('what has had its turn gives way: first');
  });

  test.each<[string, Part, Record<string, unknown>]>([
    ['is kept when all fits', { used: 800 }, { grant: 1, evict: [] }],
    ['goes first', { used: 1000 }, { grant: 1, evict: [], endStandby: true }],
    [
      'goes first, and others with it',
      { used: 1000, asker: { more: 2 }, holders: idle },
      { grant: 1, evict: ['older'], endStandby: true },
    ],
    ['does not go in vain', { used: 1000, standby: 50 }, { grant: 0, evict: [] }],
  ])('what stands by %s', (_name, part, expected) => {
    const { again, ...rest } = brief(place({ standby: 100, ...part }).decision);
    expect(rest).toEqual({ ...expected, possible: true });
    expect(again).toBe(expected['grant'] === 0 ? NOW + PATIENCE_MS : undefined);
  });
});

test('never grants beyond the budget, never sends anybody away who would not help', () => {
  const state = fc.constantFrom('pinned' as const, 'inUse' as const, 'idle' as const);
  const holder = fc.record({
    bytes: fc.integer({ min: 1, max: 500 }),
    idleSince: fc.nat(1000),
    readyAt: fc.integer({ min: NOW - 10_000, max: NOW }),
    startMs: fc.nat(4000),
    state,
  });
  const claim = fc.record({
    bytesEach: fc.nat(600),
    more: fc.integer({ min: 1, max: 20 }),
    since: fc.option(fc.integer({ min: NOW - 10_000, max: NOW }), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(holder, { maxLength: 8 }),
      fc.nat(300),
      claim,
      fc.array(claim, { maxLength: 3 }),
      (list, bytes, asker, others) => {
        const holders = list.map((one, index) => makeHolder(`r${index}`, one.bytes, one));
        const gone = makeHolder('gone', 0, { leaving: { bytes, since: NOW } });
        const used = bytes + holders.reduce((sum, one) => sum + one.bytes, 0);
        const before = others.map((one, index) => ({ ...one, revision: `b${index}` }));
        const { decision, why } = place({ used, holders: [...holders, gone], before, asker });
        expect(why).not.toBe('');
        expect(decision.grant).toBeLessThanOrEqual(asker.more);
        if (decision.grant > 0 && asker.bytesEach > 0) {
          expect(used + decision.grant * asker.bytesEach).toBeLessThanOrEqual(1000);
        }
        if (decision.again !== undefined) expect(decision.again).toBeGreaterThan(NOW);
        if (decision.evict.length === 0) return;
        const going = decision.evict.map(({ revision }) => holders[Number(revision.slice(1))]!);
        const freed = going.reduce((sum, one) => sum + one.bytes, 0);
        expect(used - bytes - freed + (decision.grant + 1) * asker.bytesEach).toBeLessThanOrEqual(
          1000,
        );
        for (const one of going) expect(one.state).not.toBe('pinned');
        const isOverdue = asker.since !== undefined && NOW - asker.since >= PATIENCE_MS;
        if (!isOverdue) for (const one of going) expect(one.state).toBe('idle');
      },
    ),
    { numRuns: 3000 },
  );
});

describe('what has grown beyond the budget', () => {
  const relieve = (used: number, holders: readonly Holder[], standby = 0) =>
    brief({
      grant: 0,
      possible: true,
      ...decideRelief({ budget: 1000, used, standby, holders }, NOW).decision,
    });

  test.each<[string, number, readonly Holder[], string[]]>([
    ['nobody while it holds', 1000, idle, []],
    ['the idle first', 1050, [...inUse, ...idle], ['older']],
    [
      'what was just started, too',
      1050,
      [makeHolder('fresh', 100, { readyAt: NOW, startMs: 9000 })],
      ['fresh'],
    ],
    ['then what is in use for longest', 1500, [...inUse, idle[2]!], ['older', 'first']],
    ['not what is pinned', 1500, [{ ...inUse[0]!, state: 'pinned' }], []],
    ['nobody for what is on its way out', 1100, [...idle, leaving(NOW - 60_000)], []],
  ])('has %s go', (_, used, holders, expected) => {
    expect(relieve(used, holders)['evict']).toEqual(expected);
  });

  test('has what stands by go first', () => {
    expect(relieve(1100, idle, 100)).toMatchObject({ evict: [], endStandby: true });
    expect(relieve(1150, idle, 100)).toMatchObject({ evict: ['older'], endStandby: true });
  });
});
