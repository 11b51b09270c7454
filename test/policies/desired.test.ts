import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeepAliveSpec } from '#domain/keep-alive.ts';
import { type Bound, type DesiredSeen, decideDesired } from '#policies/desired.ts';
import { decideKeepAlive } from '#policies/keepalive.ts';

const NOW = 10_000_000;

function bound(source: string, count: number): Bound {
  return { source, count, why: `${source} says ${count}` };
}

function seen(part: {
  count?: number;
  keep?: boolean;
  ahead?: boolean;
  park?: boolean;
  parked?: number;
  busy?: boolean;
  floors?: Bound[];
  ceilings?: Bound[];
}): DesiredSeen {
  const { count = 0, keep = false, ahead = false, park = false, parked = 0, busy = false } = part;
  const { floors = [], ceilings = [bound('max', 4)] } = part;
  return {
    scale: { count, mode: 'stable', why: 'the load says so' },
    keepAlive: { keep, park, ahead, why: 'keep-alive says so' },
    parked,
    busy,
    floors,
    ceilings,
  };
}

describe('desired', () => {
  test.each([
    ['nothing', {}, 0, 'idle'],
    ['one that is kept', { keep: true }, 1, 'keep-alive'],
    ['one that is there ahead of a request', { keep: true, ahead: true }, 1, 'ahead'],
    ['two that the window still needs', { keep: true, count: 2 }, 2, 'load:stable'],
    ['two that nobody used for the whole idle time', { count: 2 }, 0, 'idle'],
    ['at least one while busy', { busy: true }, 1, 'load:stable'],
    ['as the load needs', { busy: true, count: 3 }, 3, 'load:stable'],
    ['no more than max', { busy: true, count: 9 }, 4, 'ceiling:max'],
    ['the floor', { floors: [bound('min', 2)] }, 2, 'floor:min'],
    ['the higher floor', { floors: [bound('proof', 1), bound('min', 2)] }, 2, 'floor:min'],
    [
      'the lower ceiling',
      { busy: true, count: 3, ceilings: [bound('max', 4), bound('memory', 0)] },
      0,
      'ceiling:memory',
    ],
    [
      'a ceiling beats a floor',
      { floors: [bound('min', 2)], ceilings: [bound('deleted', 0)] },
      0,
      'ceiling:deleted',
    ],
  ])('%s', (_, part: Parameters<typeof seen>[0], desired, reason) => {
    const { decision } = decideDesired(seen(part));
    expect(decision).toMatchObject({ desired, reason });
  });

  test.each([
    ['what nobody used', { park: true }, { desired: 0, parked: 1, reason: 'parked' }],
    ['as many as the load had', { park: true, count: 3 }, { desired: 0, parked: 3 }],
    ['what is parked already', { park: true, parked: 2 }, { desired: 0, parked: 2 }],
    ['nothing, where it may not', { parked: 2 }, { desired: 0, parked: 0, reason: 'idle' }],
    [
      'what the load does not need',
      { busy: true, park: true, parked: 2 },
      { desired: 1, parked: 2 },
    ],
    ['no longer than it may', { busy: true, parked: 2 }, { desired: 1, parked: 0 }],
    ['nothing while it is kept', { keep: true, park: true }, { desired: 1, parked: 0 }],
    ['no more than max in all', { busy: true, park: true, count: 3, parked: 3 }, { parked: 1 }],
    ['besides a floor', { park: true, floors: [bound('min', 1)] }, { desired: 1, parked: 1 }],
    [
      'nothing that is deleted',
      { park: true, parked: 1, ceilings: [bound('deleted', 0)] },
      { parked: 0 },
    ],
  ])('parked: %s', (_, part: Parameters<typeof seen>[0], expected) => {
    expect(decideDesired(seen(part)).decision).toMatchObject(expected);
  });

  test('says how many are parked', () => {
    expect(decideDesired(seen({ park: true })).why).toBe(
      'no instance and 1 parked: keep-alive says so',
    );
  });

  test('a bound says what there would be without it', () => {
    expect(decideDesired(seen({ busy: true, count: 9 })).why).toBe(
      '4 instances: max says 4; without that: the load says so',
    );
  });

  test('stays within floor and ceiling, and is zero only when idle or told to', () => {
    const bounds = fc.array(
      fc.integer({ min: 0, max: 20 }).map((count) => bound('test', count)),
      {
        maxLength: 3,
      },
    );
    const specs: fc.Arbitrary<KeepAliveSpec> = fc.oneof(
      fc.constant({ policy: 'adaptive' as const }),
      fc
        .tuple(fc.integer({ min: 0, max: 600_000 }), fc.integer({ min: 0, max: 600_000 }))
        .map(([idle, park]) => ({ policy: 'fixed' as const, idle, park })),
    );
    const state = fc.constantFrom('hot' as const, 'parked' as const, 'cold' as const);
    const plans = fc.option(fc.record({ state, ahead: fc.boolean(), why: fc.constant('so') }), {
      nil: undefined,
    });
    const last = fc.option(fc.integer({ min: NOW - 1_000_000, max: NOW }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.boolean(),
        specs,
        last,
        fc.nat(5),
        fc.record({ parked: fc.nat(5), parkedFor: fc.nat(700_000), planned: plans }),
        bounds,
        bounds,
        (count, busy, spec, lastRequestAt, instances, rest, floors, ceilings) => {
          const { parked, parkedFor, planned } = rest;
          const sight = { lastRequestAt, instances, parked, parkedFor, planned };
          const kept = decideKeepAlive(spec, sight, NOW);
          const keepAlive = { ...kept.decision, why: kept.why };
          const scale = { count, mode: 'stable', why: 'load' };
          const given = { scale, keepAlive, parked, busy, floors, ceilings };
          const { decision, why } = decideDesired(given);
          const top = Math.min(...ceilings.map((one) => one.count), Infinity);
          const bottom = Math.min(top, Math.max(0, ...floors.map((one) => one.count)));
          expect(decision.desired).toBeGreaterThanOrEqual(bottom);
          expect(decision.desired).toBeLessThanOrEqual(top);
          expect(decision.min).toBe(bottom);
          expect(why).not.toBe('');
          expect(decision.reason).not.toBe('');
          expect(decision.parked).toBeGreaterThanOrEqual(0);
          expect(decision.desired + decision.parked).toBeLessThanOrEqual(top);
          const isFixed = spec.policy === 'fixed';
          const parks = isFixed && spec.park > 0;
          const mayPark = isFixed
            ? parks && lastRequestAt !== undefined
            : planned?.state === 'parked';
          if (!mayPark) expect(decision.parked).toBe(0);
          if (parks && parked > 0 && parkedFor >= spec.park) expect(decision.parked).toBe(0);
          if (decision.desired > 0 || top === 0) return;
          expect(busy).toBe(false);
          if (!isFixed) expect(planned?.state === 'hot' && instances > 0).toBe(false);
          if (!isFixed) return;
          const used = lastRequestAt !== undefined && instances > 0;
          expect(!used || NOW - lastRequestAt >= spec.idle).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('keep-alive', () => {
  const fixed: KeepAliveSpec = { policy: 'fixed', idle: 30_000, park: 0 };
  const parks: KeepAliveSpec = { policy: 'fixed', idle: 30_000, park: 60_000 };
  const none = { parked: 0, parkedFor: 0 };

  test.each([
    ['not while it is kept ready', 29_999, 1, none, { keep: true, park: true }],
    ['when it is idle', 30_000, 1, none, { keep: false, park: true }],
    ['found idle for too long', 90_000, 1, none, { keep: false, park: false }],
    [
      'what is parked stays',
      31_000,
      0,
      { parked: 1, parkedFor: 59_999 },
      { keep: false, park: true },
    ],
    [
      'until its time is over',
      91_000,
      0,
      { parked: 1, parkedFor: 60_000 },
      { keep: false, park: false },
    ],
    ['is not woken for nobody', 5, 0, { parked: 1, parkedFor: 1 }, { keep: false, park: true }],
  ])('parks: %s', (_, quiet, instances, parked, expected) => {
    const sight = { lastRequestAt: NOW - quiet, instances, ...parked };
    const { decision, why } = decideKeepAlive(parks, sight, NOW);
    expect(decision).toEqual({ ...expected, ahead: false });
    expect(why).toContain('keep-alive is fixed 30s, then parked for 60s');
  });

  test.each([
    ['just used', fixed, { lastRequestAt: NOW, instances: 1 }, true],
    ['not quite idle', fixed, { lastRequestAt: NOW - 29_999, instances: 1 }, true],
    ['idle', fixed, { lastRequestAt: NOW - 30_000, instances: 1 }, false],
    ['never used', fixed, { lastRequestAt: undefined, instances: 1 }, false],
    ['nothing that could be kept', fixed, { lastRequestAt: NOW, instances: 0 }, false],
  ])('%s', (_, spec, sight, keep) => {
    const { decision, why } = decideKeepAlive(spec, { ...none, ...sight }, NOW);
    expect(decision).toEqual({ keep, park: false, ahead: false });
    expect(why).toContain('keep-alive');
  });

  const proven = { lastRequestAt: undefined, provenAt: NOW - 59_999, instances: 1 };
  test.each([
    ['just proven', proven, true],
    ['for too long', { ...proven, provenAt: NOW - 60_000 }, false],
    ['used already', { ...proven, lastRequestAt: NOW - 30_000 }, false],
    ['nothing that could be kept', { ...proven, instances: 0 }, false],
  ])('awaits traffic of its model: %s', (_, sight, keep) => {
    for (const spec of [fixed, { policy: 'adaptive' } as const]) {
      const { decision } = decideKeepAlive(spec, { ...none, ...sight }, NOW);
      expect(decision).toEqual({ keep, park: false, ahead: false });
    }
  });

  const why = 'cold after 5m';
  const used = { lastRequestAt: NOW - 7000, instances: 1 };
  const gone = { lastRequestAt: NOW - 7000, instances: 0 };
  const hot = { state: 'hot', ahead: false, why } as const;
  const ahead = { ...hot, ahead: true };
  const [parked, cold] = [{ ...hot, state: 'parked' } as const, { ...hot, state: 'cold' } as const];
  const notAhead = 'no memory is free for it';
  const [keeps, parksIt, lets, loads] = [[true], [false, true], [], [true, false, true]];
  test.each([
    ['no plan', { ...none, ...used }, lets, 'no request has come'],
    [
      'hot',
      { ...none, ...used, planned: hot },
      keeps,
      /^idle for 7s, keep-alive is adaptive: cold/,
    ],
    ['hot, but it has gone', { ...none, ...gone, planned: hot }, lets, 'nothing runs'],
    ['to be parked', { ...none, ...used, planned: parked }, parksIt, why],
    ['parked', { ...none, ...gone, parked: 1, planned: parked }, parksIt, why],
    ['to be parked, but it has gone', { ...none, ...gone, planned: parked }, lets, 'nothing runs'],
    ['cold', { ...none, ...used, planned: cold }, lets, why],
    ['cold, parked until now', { ...none, ...gone, parked: 1, planned: cold }, lets, why],
    [
      'ahead',
      { ...none, ...gone, planned: ahead },
      loads,
      /^loaded ahead of a request, idle for 7s/,
    ],
    ['ahead, and there', { ...none, ...used, planned: ahead, notAhead }, loads, 'loaded ahead'],
    [
      'ahead, never used here',
      { ...none, lastRequestAt: undefined, instances: 0, planned: ahead },
      loads,
      why,
    ],
    [
      'ahead without room',
      { ...none, ...gone, planned: ahead, notAhead },
      lets,
      /^no memory is free for it, idle/,
    ],
    [
      'ahead without room, parked',
      { ...none, ...gone, parked: 1, planned: ahead, notAhead },
      parksIt,
      notAhead,
    ],
  ])(
    'adaptive, planned: %s',
    (_, sight, [keep = false, park = false, isAhead = false], because) => {
      const decided = decideKeepAlive({ policy: 'adaptive' }, sight, NOW);
      expect(decided.decision).toEqual({ keep, park, ahead: isAhead });
      expect(decided.why).toMatch(because);
      expect(decided.why).toContain('keep-alive is adaptive');
    },
  );
});
