import { describe, expect, test } from 'vitest';
import { latencyBucket, latencyBound } from '#domain/latency.ts';
import { type Outcomes, rollout } from '#domain/rollout.ts';
import {
  addCosts,
  describeCosts,
  NO_COST,
  type Sizes,
  weighCosts,
} from '#policies/rollout/cost.ts';
import { beginRollout, decideRollout, type RolloutSeen } from '#policies/rollout/decide.ts';

const MIB = 2 ** 20;
const MINUTE = 60_000;
const SAME: Sizes = {
  stable: { memory: 100 * MIB, concurrency: 8 },
  canary: { memory: 100 * MIB, concurrency: 8 },
};

/** So many that took about so long, half of them a tenth less. */
function requests(count: number, ms: number): Outcomes {
  const bucket = latencyBucket(ms);
  return { ok: count, failed: 0, latency: [bucket - 1, count / 2, bucket, count / 2] };
}

const usual = requests(1000, 100);

function meansOf(sizes: Sizes, canary = usual, stable = usual) {
  const { worse } = addCosts(NO_COST, { stable, canary }, sizes, 1.25);
  return {
    stable: -worse.stable.sum / worse.stable.count,
    canary: -worse.canary.sum / worse.canary.count,
  };
}

describe('what a request takes of an instance', () => {
  test('its time, as one of so many', () => {
    const bucket = latencyBucket(100);
    const ms = (latencyBound(bucket) + latencyBound(bucket - 1)) / 2;
    expect(meansOf(SAME).stable).toBeCloseTo(ms / 1000 / 8, 9);
    expect(meansOf(SAME).canary).toBeCloseTo(ms / 1000 / 8, 9);
  });

  test.each([
    ['half as many at once', { memory: 100 * MIB, concurrency: 4 }, 2],
    ['half as much memory again', { memory: 150 * MIB, concurrency: 8 }, 1.5],
    ['no limit, which is taken for a hundred', { memory: 100 * MIB, concurrency: 0 }, 0.08],
  ])('%s', (_, canary, times) => {
    const found = meansOf({ ...SAME, canary });
    expect(found.canary / found.stable).toBeCloseTo(times, 9);
  });

  test.each([undefined, 0])(
    'where memory is known of neither, time alone is compared: %s',
    (memory) => {
      const unknown = { memory, concurrency: 8 };
      const found = meansOf({ stable: unknown, canary: unknown });
      expect(found.canary).toBeCloseTo(found.stable, 9);
    },
  );

  test.each([
    ['stable', undefined],
    ['canary', undefined],
    ['stable', 0],
    ['canary', 0],
  ] as const)('known of one alone, nothing is: that of %s is missing, as %s', (side, memory) => {
    const sizes = { ...SAME, [side]: { memory, concurrency: 8 } };
    const before = addCosts(NO_COST, { stable: usual, canary: usual }, SAME, 1.25);
    const after = addCosts(before, { stable: usual, canary: requests(500, 900) }, sizes, 1.25);
    const { missing, ...rest } = after;
    expect(rest).toEqual(before);
    const which = side === 'stable' ? 'the stable one' : 'the canary';
    expect(missing).toBe(`the memory of an instance of ${which} is not measured`);
    const known = addCosts(after, { stable: usual, canary: usual }, SAME, 1.25);
    expect(known).not.toHaveProperty('missing');
  });
});

test('before anything was counted nothing is known', () => {
  expect(weighCosts(NO_COST, 1.25)).toEqual({ worse: 0, fine: 0 });
  expect(describeCosts(NO_COST)).toBe(
    '0 ms of an instance for each of 0 against 0 ms of an instance for each of 0',
  );
});

describe('a rollout', () => {
  const spec = rollout.parse({ metrics: [{ metric: 'cost' }], steps: [5] });
  const look = (part: Partial<RolloutSeen>, memory = beginRollout(0), now = MINUTE) => {
    const seen = { stable: usual, canary: usual, measures: new Map(), paused: false, sizes: SAME };
    return decideRollout(spec, { ...seen, ...part }, memory, now);
  };

  test('as dear as the other: promoted', () => {
    const { decision, why } = look({});
    expect(decision).toEqual({ kind: 'promote' });
    expect(why).toMatch(/^cost: 12\.\d ms of an instance for each of 1000 against 12\.\d ms of an/);
  });

  test('as quick, with half as much memory again: back', () => {
    const sizes = { ...SAME, canary: { memory: 150 * MIB, concurrency: 8 } };
    const { decision, why } = look({ sizes });
    expect(decision).toEqual({ kind: 'rollBack', reason: 'cost is worse' });
    expect(why).toMatch(/^cost is worse: 19\.\d ms of .* against 12\.\d ms of/);
  });

  test('slower, with so much less memory that it costs no more: promoted', () => {
    const sizes = { ...SAME, canary: { memory: 50 * MIB, concurrency: 8 } };
    const { decision } = look({ sizes, canary: requests(1000, 190) });
    expect(decision.kind).toBe('promote');
  });

  test('few requests tell nothing, however dear', () => {
    const { decision, why } = look({ canary: requests(98, 10_000) });
    expect(decision).toEqual({ kind: 'hold', reason: 'few requests' });
    expect(why).toBe('98 of at least 100 warm requests that it answered in this step');
  });

  test('while the memory of one is not known it stays, with what it was sure of before', () => {
    const sure = look({}).memory;
    const sizes = { ...SAME, canary: { memory: undefined, concurrency: 8 } };
    const { decision, why } = look({ sizes }, { ...sure, requests: 1000 }, 2 * MINUTE);
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of cost' });
    expect(why).toContain(
      ' for each of 1000, the last are left out: the memory of an instance of the canary is not measured; evidence',
    );
  });

  test('blue-green: against what the old one took before the switch', () => {
    const switched = rollout.parse({ strategy: 'blueGreen', metrics: [{ metric: 'cost' }] });
    const none: Outcomes = { ok: 0, failed: 0, latency: [] };
    const base = { measures: new Map(), paused: false, sizes: SAME };
    const first = decideRollout(
      switched,
      { ...base, stable: usual, canary: none },
      beginRollout(0),
      MINUTE,
    );
    expect(first.decision).toEqual({ kind: 'advance', percent: 100 });
    const dear = { ...base, stable: none, canary: requests(1000, 190) };
    const second = decideRollout(switched, dear, first.memory, MINUTE + 1000);
    expect(second.decision).toEqual({ kind: 'rollBack', reason: 'cost is worse' });
    const same = { ...base, stable: none, canary: usual };
    expect(decideRollout(switched, same, first.memory, 2 * MINUTE).decision.kind).toBe('promote');
  });
});
