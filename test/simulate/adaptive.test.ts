import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Plan } from '#policies/keepalive/plan.ts';
import { createAdaptive, createAdaptiveEvictor, createOnline } from '#simulate/adaptive.ts';
import { meetTargets } from '#simulate/bisect.ts';
import { compare, type PolicyRow } from '#simulate/compare.ts';
import { createHybrid } from '#simulate/planners.ts';
import { readTrace } from '#simulate/read-trace.ts';
import { replay, type Planner } from '#simulate/replay.ts';
import { type Evictor, replayCapped } from '#simulate/replay-capped.ts';
import type { Trace } from '#simulate/trace.ts';
import { makeTrace } from './traces.ts';

const FOLDER = join(import.meta.dirname, '../../load-tests/traces');
const END = 600;
const MODELS = ['a', 'b', 'c', 'd'];

const minutes = fc.uniqueArray(fc.nat(END - 1), { minLength: 1, maxLength: 60 });
const histories = fc.array(minutes, { minLength: MODELS.length, maxLength: MODELS.length });

/** One past, and what comes after `cut` from elsewhere. */
function withFuture(past: readonly number[][], future: readonly number[][], cut: number): Trace {
  const both = MODELS.map((name, model) => [
    name,
    // Every model comes in the first minute: a trace lists all that it knows of.
    [
      0,
      ...past[model]!.filter((at) => 0 < at && at <= cut),
      ...future[model]!.filter((at) => at > cut),
    ],
  ]);
  return makeTrace(Object.fromEntries(both), { until: END });
}

type Decided = readonly [model: number, now: number, what: unknown];

function decisionsOf(trace: Trace, create: (trace: Trace) => Planner): Decided[] {
  const planner = create(trace);
  const decided: Decided[] = [];
  replay(trace, {
    ...planner,
    plan(model, now): readonly Plan[] {
      const plans = planner.plan(model, now);
      decided.push([model, now, plans]);
      return plans;
    },
  });
  return decided;
}

function evictionsOf(trace: Trace): Decided[] {
  const evictor: Evictor = createAdaptiveEvictor(trace);
  const decided: Decided[] = [];
  const worth = (model: number, now: number): number => {
    const value = evictor.worth(model, now);
    decided.push([model, now, value]);
    return value;
  };
  replayCapped(trace, { ...evictor, worth }, 2);
  return decided;
}

describe('nothing is decided by what has not happened yet', () => {
  test.each([
    ['adaptive', (trace: Trace) => decisionsOf(trace, (one) => createAdaptive(one, [1e-6, 1e-7]))],
    ['adaptive:online', (trace: Trace) => decisionsOf(trace, (one) => createOnline(one, 1))],
    ['hybrid', (trace: Trace) => decisionsOf(trace, createHybrid)],
    ['adaptive:evict', evictionsOf],
  ] as const)('%s', (_, decide) => {
    fc.assert(
      fc.property(histories, histories, histories, fc.nat(END), (past, one, other, cut) => {
        const [a, b] = [one, other].map((future) =>
          decide(withFuture(past, future, cut)).filter(([, now]) => now <= cut * 60_000),
        );
        expect(a).toEqual(b);
        expect(a!.length).toBeGreaterThan(0);
      }),
      { numRuns: 25 },
    );
  });

  test('and the test would see it', () => {
    const peeking = (trace: Trace): Planner => ({
      variants: ['peeks'],
      plan: () => [[{ after: trace.at.length, state: 'cold' }]],
    });
    const [a, b] = [[], [500]].map((future) =>
      decisionsOf(makeTrace({ a: [0, 1, ...future] }, { until: END }), peeking).slice(0, 2),
    );
    expect(a).not.toEqual(b);
  });
});

describe('on a part of a real trace', () => {
  let whole: Trace;
  /** As few models as show it: the price that spends as much as another policy is found by tens of replays. */
  let trace: Trace;
  let fixed: PolicyRow;
  let hybrid: PolicyRow;
  beforeAll(async () => {
    const file = (part: string): string => join(FOLDER, `azure2019_500fn_8h_${part}.csv.gz`);
    whole = await readTrace(file('invocations'), file('memory'));
    trace = takeEvery(12, whole);
    [fixed, hybrid] = compare(trace, ['fixed:10m', 'hybrid']) as [PolicyRow, PolicyRow];
  });

  test('fewer cold starts than the hybrid histogram, for the same memory', () => {
    const [asHybrid] = compare(trace, ['adaptive'], { budget: 'hybrid' });
    expect(asHybrid!.idleMemory / hybrid.idleMemory).toBeCloseTo(1, 1);
    expect(asHybrid!.cold).toBeLessThan(hybrid.cold);
  });

  test('fewer than a fixed time: it finds the price by itself, within a fifth on so small a trace', () => {
    const [online] = compare(trace, ['adaptive:online'], { budget: 'fixed:10m' });
    expect(Math.abs(Math.log(online!.idleMemory / fixed.idleMemory))).toBeLessThan(0.2);
    expect(online!.cold).toBeLessThan(0.5 * fixed.cold);
  });

  test('fewer than greedy-dual and LRU under a cap', () => {
    const names = ['lru', 'greedy-dual', 'adaptive:evict'];
    const [lru, greedyDual, adaptive] = compare(takeEvery(6, whole), names, { cap: 0.3 });
    expect(adaptive!.cold).toBeLessThan(0.9 * greedyDual!.cold);
    expect(adaptive!.cold).toBeLessThan(lru!.cold);
  });
});

test('bisection looks beyond the prices that it tries first', () => {
  const every = (gap: number): number[] => Array.from({ length: 40 }, (_, at) => at * gap);
  const trace = makeTrace({ a: every(5), b: every(7), c: every(60) });
  const usedOf = ({ whole }: { whole: { idleMemory: number } }): number => whole.idleMemory;
  const [tiny, huge] = [1, 1e12].map((budget) => meetTargets(trace, [{ budget, usedOf }])[0]!);
  expect(1 / tiny!.price).toBeLessThan(0.5 * 60_000);
  expect(usedOf(tiny!.account)).toBeLessThan(usedOf(huge!.account));
  expect(huge!.account.whole.cold).toBe(3);
});

test.each([
  [undefined, /adaptive needs a budget: give --budget/],
  ['much', /no policy much/],
  ['lru', /--budget lru: expected memory above 0/],
  ['-3', /no policy -3/],
])('the budget %s is refused', (budget, message) => {
  expect(() => compare(makeTrace({ a: [0, 9] }), ['adaptive'], { budget })).toThrow(message);
});

/** Every nth model of a trace. */
function takeEvery(nth: number, trace: Trace): Trace {
  const models = trace.models.filter((_, model) => model % nth === 0);
  const rows = [...trace.model.keys()].filter((row) => trace.model[row]! % nth === 0);
  return {
    ...trace,
    models,
    at: Float64Array.from(rows, (row) => trace.at[row]!),
    end: Float64Array.from(rows, (row) => trace.end[row]!),
    model: Uint32Array.from(rows, (row) => trace.model[row]! / nth),
  };
}
