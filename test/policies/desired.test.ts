import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeepAliveSpec } from '#domain/model.ts';
import { type Bound, type DesiredSeen, decideDesired } from '#policies/desired.ts';
import { decideKeepAlive } from '#policies/keepalive.ts';

const NOW = 10_000_000;

function bound(source: string, count: number): Bound {
  return { source, count, why: `${source} says ${count}` };
}

function seen(part: {
  count?: number;
  keep?: boolean;
  busy?: boolean;
  floors?: Bound[];
  ceilings?: Bound[];
}): DesiredSeen {
  const { count = 0, keep = false, busy = false, floors = [], ceilings = [bound('max', 4)] } = part;
  return {
    scale: { count, mode: 'stable', why: 'the load says so' },
    keepAlive: { keep, why: 'keep-alive says so' },
    busy,
    floors,
    ceilings,
  };
}

describe('desired', () => {
  test.each([
    ['nothing', {}, 0, 'idle'],
    ['one that is kept', { keep: true }, 1, 'keep-alive'],
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
      fc.integer({ min: 0, max: 600_000 }).map((idle) => ({ policy: 'fixed' as const, idle })),
    );
    const last = fc.option(fc.integer({ min: NOW - 1_000_000, max: NOW }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.boolean(),
        specs,
        last,
        fc.nat(5),
        bounds,
        bounds,
        (count, busy, spec, lastRequestAt, instances, floors, ceilings) => {
          const kept = decideKeepAlive(spec, { lastRequestAt, instances }, NOW);
          const keepAlive = { keep: kept.decision.keep, why: kept.why };
          const scale = { count, mode: 'stable', why: 'load' };
          const { decision, why } = decideDesired({ scale, keepAlive, busy, floors, ceilings });
          const top = Math.min(...ceilings.map((one) => one.count), Infinity);
          const bottom = Math.min(top, Math.max(0, ...floors.map((one) => one.count)));
          expect(decision.desired).toBeGreaterThanOrEqual(bottom);
          expect(decision.desired).toBeLessThanOrEqual(top);
          expect(decision.min).toBe(bottom);
          expect(why).not.toBe('');
          expect(decision.reason).not.toBe('');
          if (decision.desired > 0 || top === 0) return;
          const idle = spec.policy === 'fixed' ? spec.idle : 60_000;
          expect(busy).toBe(false);
          const used = lastRequestAt !== undefined && instances > 0;
          expect(!used || NOW - lastRequestAt >= idle).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('keep-alive', () => {
  const fixed: KeepAliveSpec = { policy: 'fixed', idle: 30_000 };

  test.each([
    ['just used', fixed, { lastRequestAt: NOW, instances: 1 }, true],
    ['not quite idle', fixed, { lastRequestAt: NOW - 29_999, instances: 1 }, true],
    ['idle', fixed, { lastRequestAt: NOW - 30_000, instances: 1 }, false],
    ['never used', fixed, { lastRequestAt: undefined, instances: 1 }, false],
    ['nothing that could be kept', fixed, { lastRequestAt: NOW, instances: 0 }, false],
    [
      'adaptive is 60 s',
      { policy: 'adaptive' } as const,
      { lastRequestAt: NOW - 59_999, instances: 1 },
      true,
    ],
    [
      'adaptive ends',
      { policy: 'adaptive' } as const,
      { lastRequestAt: NOW - 60_000, instances: 1 },
      false,
    ],
  ])('%s', (_, spec, sight, keep) => {
    const { decision, why } = decideKeepAlive(spec, sight, NOW);
    expect(decision.keep).toBe(keep);
    expect(why).toContain('keep-alive');
  });

  test('adaptive says that it is not there yet', () => {
    const { why } = decideKeepAlive(
      { policy: 'adaptive' },
      { lastRequestAt: NOW, instances: 1 },
      NOW,
    );
    expect(why).toContain('adaptive, which stands for fixed 60s until the policy engine is there');
  });
});
