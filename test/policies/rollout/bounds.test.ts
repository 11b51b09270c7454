import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { latencyBucket } from '#domain/latency.ts';
import { type Outcomes, rollout } from '#domain/rollout.ts';
import { beginRollout, decideRollout, type RolloutSeen } from '#policies/rollout/decide.ts';
import type { Stratum, Values } from '#policies/rollout/difference.ts';
import { weighOdds } from '#policies/rollout/odds.ts';
import { simulate, successes, times } from './simulated.ts';

type Metric = NonNullable<z.input<typeof rollout>['metrics']>[number];

const NONE: Outcomes = { ok: 0, failed: 0, latency: [] };
const MINUTE = 60_000;

/** One look, at a canary that is as the stable one: only its bound can speak against it. */
function lookAtBoth(metric: Metric, both: Outcomes, measured: readonly Stratum[] = []) {
  const seen: RolloutSeen = {
    stable: both,
    canary: both,
    measures: new Map([['score', measured]]),
    paused: false,
  };
  const spec = rollout.parse({ metrics: [metric], interval: '1m' });
  return decideRollout(spec, seen, beginRollout(0), MINUTE);
}

describe('success', () => {
  const metric = { metric: 'success', margin: 0.05, atLeast: 0.99 } as const;

  test.each([
    ['keeps it', 4000, 8, 'advance'],
    ['breaks it, as the stable one does', 4000, 100, 'rollBack'],
    ['neither for sure', 1000, 10, 'hold'],
  ])('%s', (_, ok, failed, kind) => {
    expect(lookAtBoth(metric, { ...NONE, ok, failed }).decision.kind).toBe(kind);
  });

  test('says so', () => {
    const broken = lookAtBoth(metric, { ...NONE, ok: 4000, failed: 100 });
    expect(broken.decision).toEqual({ kind: 'rollBack', reason: 'success is below 99 %' });
    expect(broken.why).toMatch(/^success is below 99 %: 97\.6 % of 4100; evidence .*, 40 needed$/);
    const unsure = lookAtBoth(metric, { ...NONE, ok: 990, failed: 10 });
    expect(unsure.why).toMatch(
      /^not sure yet that success is not below 99 %: 99 % of 1000; evidence [\d.]+, 20 needed$/,
    );
  });

  test('what is seen adds up over looks and steps', () => {
    const spec = rollout.parse({ metrics: [metric] });
    const seen = { measures: new Map(), paused: false, stable: { ...NONE, ok: 5000, failed: 5 } };
    let memory = beginRollout(0);
    const kinds = [1, 2, 3].map((minute) => {
      const canary = { ...NONE, ok: 180, failed: 0 };
      const decided = decideRollout(spec, { ...seen, canary }, memory, minute * MINUTE);
      memory = decided.memory;
      return decided.decision.kind;
    });
    expect(memory.after).toMatchObject({ ok: 540 });
    expect(kinds).toEqual(['hold', 'hold', 'advance']);
  });
});

describe('a percentile of latency', () => {
  const metric = { metric: 'latency', percentile: 90, atMost: '300ms' } as const;
  /** From 40 to 260 ms. */
  const FAST = Array.from({ length: 20 }, (_, at) => latencyBucket(40) + at);
  const SLOW = latencyBucket(600);
  /** So many in a hundred take longer than the bound. */
  const slow = (share: number): Outcomes => ({
    ok: 2000,
    failed: 0,
    latency: [...FAST.flatMap((bucket) => [bucket, 100 - share]), SLOW, 20 * share],
  });

  test.each([
    ['keeps it', 5, 'advance'],
    ['breaks it, as the stable one does', 20, 'rollBack'],
    ['neither for sure', 10, 'hold'],
  ])('%s', (_, share, kind) => {
    const { decision, why } = lookAtBoth(metric, slow(share));
    expect(decision.kind).toBe(kind);
    if (kind === 'rollBack') {
      expect(why).toMatch(
        /^latency p90 is above 300ms: \d{3}ms \(20 % of 2000 took longer than 300ms\); /,
      );
    }
  });
});

describe('a measure', () => {
  const shares = (good: number, count: number): Values => ({ count, sum: good, sumSquares: good });
  const values = (mean: number, count: number): Values => ({
    count,
    sum: mean * count,
    sumSquares: (mean * mean + 1) * count,
  });
  test.each([
    ['labels, enough are right', 'higher', 0.9, shares(1900, 2000), 'advance'],
    ['labels, too few are right', 'higher', 0.9, shares(1700, 2000), 'rollBack'],
    ['labels, few are bad', 'lower', 0.1, shares(100, 2000), 'advance'],
    ['labels, too many are bad', 'lower', 0.1, shares(300, 2000), 'rollBack'],
    ['means, higher', 'higher', 9, values(10, 4000), 'advance'],
    ['means, too low', 'higher', 11, values(10, 4000), 'rollBack'],
    ['means, lower', 'lower', 11, values(10, 4000), 'advance'],
    ['means, too high', 'lower', 9, values(10, 4000), 'rollBack'],
    ['labels, with a bound that is no share', 'higher', 1.5, shares(1900, 2000), 'rollBack'],
    ['means, of too few', 'higher', 11, values(10, 99), 'hold'],
    ['none', 'higher', 11, values(0, 0), 'hold'],
  ] as const)('%s', (_, goal, bound, both, kind) => {
    const metric = { metric: 'custom', measure: 'score', goal, margin: 0.1, bound } as const;
    const measured = [{ stable: both, canary: both }];
    const answered = { ...NONE, ok: 100 };
    expect(lookAtBoth(metric, answered, measured).decision.kind).toBe(kind);
  });
});

test('after a blue-green switch the bound holds for what came since', () => {
  const spec = rollout.parse({
    strategy: 'blueGreen',
    metrics: [{ metric: 'success', margin: 0.5, atLeast: 0.99 }],
  });
  const seen = { stable: NONE, canary: NONE, measures: new Map(), paused: false };
  const before = { ...seen, stable: { ...NONE, ok: 500, failed: 500 } };
  const switched = decideRollout(spec, before, beginRollout(0), MINUTE);
  expect(switched.decision).toEqual({ kind: 'advance', percent: 100 });
  const after = { ...seen, canary: { ...NONE, ok: 900, failed: 100 } };
  const { decision } = decideRollout(spec, after, switched.memory, 2 * MINUTE);
  expect(decision).toEqual({ kind: 'rollBack', reason: 'success is below 99 %' });
});

/** The mean of an e-value over all that may happen, with this chance of an event. */
function meanOf(trials: number, chance: number, evidence: (events: number) => number): number {
  let mean = 0;
  let term = (1 - chance) ** trials;
  for (let events = 0; events <= trials; events++) {
    mean += term * Math.exp(evidence(events));
    term *= ((trials - events) / (events + 1)) * (chance / (1 - chance));
  }
  return mean;
}

test('a fair game: within the bound the mean of the evidence is at most 1, and so beyond it', () => {
  const chance = fc.double({ min: 0.001, max: 0.9, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), chance, chance, (trials, one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const worse = meanOf(trials, low, (events) => weighOdds(events, trials, high).worse);
      const fine = meanOf(trials, high, (events) => weighOdds(events, trials, low).fine);
      expect(worse).toBeLessThanOrEqual(1 + 1e-9);
      expect(fine).toBeLessThanOrEqual(1 + 1e-9);
    }),
  );
});

describe('1,000 rollouts, looked at in every interval', () => {
  const MOST_WRONG = 37;
  const run = (
    metric: Metric,
    side: Parameters<typeof simulate>[1]['canary'],
  ): Record<'promote' | 'rollBack' | 'hold', number> => {
    const counts = { promote: 0, rollBack: 0, hold: 0, advance: 0 };
    for (let seed = 1; seed <= 1000; seed++) {
      const sides = { stable: side, canary: side };
      const size = { seed, perInterval: 400, most: 8000 };
      counts[simulate({ metrics: [metric] }, sides, size).kind] += 1;
    }
    return counts;
  };
  const success = { metric: 'success', margin: 0.05, atLeast: 0.98 } as const;

  test.each([
    ['at the bound', 0.98],
    ['beyond it', 0.96],
  ])('success %s: hardly ever promoted', (_, chance) => {
    const { promote, rollBack } = run(
      success,
      successes(() => chance),
    );
    expect(promote).toBeLessThanOrEqual(MOST_WRONG);
    if (chance === 0.98) expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    else expect(rollBack).toBeGreaterThanOrEqual(1000 - MOST_WRONG);
  });

  test('success within the bound: promoted, hardly ever rolled back', () => {
    const { promote, rollBack } = run(
      success,
      successes(() => 0.993),
    );
    expect(rollBack).toBeLessThanOrEqual(MOST_WRONG);
    expect(promote).toBeGreaterThanOrEqual(1000 - 2 * MOST_WRONG);
  });

  test('latency beyond the bound on both sides: rolled back', () => {
    // Log-normal with a median of 50 ms and σ = 0.5: the 95th percentile is 114 ms.
    const metric = { metric: 'latency', percentile: 95, ratio: 2, atMost: '90ms' } as const;
    const { promote, rollBack } = run(
      metric,
      times(() => 1),
    );
    expect(promote).toBe(0);
    expect(rollBack).toBeGreaterThanOrEqual(1000 - MOST_WRONG);
  });
});
