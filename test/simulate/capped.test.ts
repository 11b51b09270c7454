import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SPECULATIVE_LOAD_MS } from '#policies/keepalive/online.ts';
import { makeFixedPlan } from '#policies/keepalive/fixed.ts';
import type { Plan } from '#policies/keepalive/plan.ts';
import { createOnline } from '#simulate/adaptive.ts';
import { createGreedyDual, createLru } from '#simulate/evictors.ts';
import { createFixed } from '#simulate/planners.ts';
import { type Planner, replay } from '#simulate/replay.ts';
import { type Evictor, replayCapped } from '#simulate/replay-capped.ts';
import { createTraceBuilder } from '#simulate/trace.ts';
import { makeTrace, MINUTE } from './traces.ts';

describe('under a cap', () => {
  test('the least recently used goes', () => {
    const trace = makeTrace({ a: [0, 2, 4], b: [1, 5], c: [3] });
    // At 3 b goes for c, at 4 a is there, at 5 c goes for b.
    expect(replayCapped(trace, createLru(trace), 2).whole).toMatchObject({ cold: 4, arrivals: 6 });
  });

  test('greedy-dual keeps what is used often', () => {
    const trace = makeTrace({ a: [0, 1, 2, 5], b: [3], c: [4] });
    expect(replayCapped(trace, createLru(trace), 2).whole.cold).toBe(4);
    expect(replayCapped(trace, createGreedyDual(trace), 2).whole.cold).toBe(3);
  });

  test('greedy-dual: the clock lets what was once used often go in the end', () => {
    const others = [10, 20, 30, 40, 50, 60];
    const lists = Object.fromEntries(others.map((at) => [`m${at}`, [at, at + 1]]));
    const trace = makeTrace({ a: [0, 1, 2, 3, 4, 100], ...lists });
    expect(replayCapped(trace, createGreedyDual(trace), 2).cold[0]).toBe(2);
  });

  test('greedy-dual: who was evicted begins anew', () => {
    // b goes for c, comes back for one use, and goes for c again, for a was used more.
    const trace = makeTrace({ a: [3, 4, 5, 6, 7, 8, 14], b: [0, 1, 2, 10], c: [9, 11] });
    const { cold } = replayCapped(trace, createGreedyDual(trace), 2);
    expect([...cold]).toEqual([1, 2, 2]);
  });

  test('a policy that plans unloads by its plan, and gives way when memory is short', () => {
    const trace = makeTrace({ a: [0, 3, 20], b: [1, 21], c: [9, 22] });
    const capped = (idle: number, cap: number) =>
      replayCapped(trace, createLru(trace), cap, createFixed('fixed', idle * MINUTE));
    // a is there at 3; then each of them was gone.
    expect([...capped(5, 3).cold]).toEqual([2, 2, 2]);
    expect(capped(5, 3)).toMatchObject({ decisions: { evictions: 0 } });
    // All would stay, but c takes the place of b, and so on.
    expect([...capped(60, 3).cold]).toEqual([1, 1, 1]);
    expect([...capped(60, 2).cold]).toEqual([1, 2, 2]);
    expect(capped(60, 2)).toMatchObject({ decisions: { evictions: 3 } });
    expect(replay(trace, createFixed('fixed', 5 * MINUTE))[0]!.whole).toEqual(capped(5, 3).whole);
  });

  test('loads ahead of a request wait until memory is free', () => {
    const plan: Plan = [
      { after: 0, state: 'cold' },
      { after: 5 * MINUTE, state: 'hot' },
      { after: 30 * MINUTE, state: 'cold' },
    ];
    const planner: Planner = {
      variants: ['timer'],
      plan: (model) => [model === 0 ? plan : makeFixedPlan({ idle: 10 * MINUTE })],
    };
    const run = (minutes: number, cap: number) => {
      const trace = makeTrace({ a: [0, minutes], b: [1] });
      return replayCapped(trace, createLru(trace), cap, planner);
    };
    // Due at 5; b is there until 11.
    expect(run(9, 2)).toMatchObject({ whole: { cold: 2, loads: 1 } });
    expect(run(9, 1)).toMatchObject({ whole: { cold: 3, loads: 0 } });
    expect(run(13, 1)).toMatchObject({ whole: { cold: 2, loads: 1 } });
    expect(run(40, 1)).toMatchObject({ whole: { cold: 3, loads: 1 } });
  });

  test('nothing that runs is evicted', () => {
    const builder = createTraceBuilder();
    builder.add(0, 0, 10 * MINUTE);
    builder.add(1, MINUTE, 2 * MINUTE);
    builder.add(0, 3 * MINUTE, 3 * MINUTE);
    builder.add(1, 11 * MINUTE, 11 * MINUTE);
    const models = ['a', 'b'].map((name) => ({ name, memory: 1, coldCost: 1 }));
    const trace = builder.finish(models, 1);
    const { cold } = replayCapped(trace, createLru(trace), 1);
    // b goes as soon as it has ended: a was there first, and runs.
    expect([...cold]).toEqual([1, 2]);
  });

  test('memory that is loaded and idle stays below the cap', () => {
    const lists = fc.array(fc.uniqueArray(fc.nat(100), { minLength: 1, maxLength: 20 }), {
      minLength: 2,
      maxLength: 6,
    });
    const caps = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(lists, caps, fc.boolean(), fc.boolean(), (all, cap, lru, plans) => {
        const trace = makeTrace(Object.fromEntries(all.map((list, index) => [`m${index}`, list])));
        const evictor: Evictor = lru ? createLru(trace) : createGreedyDual(trace);
        const planner = plans ? createOnline(trace, cap / 2) : undefined;
        const { whole } = replayCapped(trace, evictor, cap, planner);
        expect(whole.arrivals).toBe(trace.at.length);
        const ahead = whole.loads * SPECULATIVE_LOAD_MS;
        expect(whole.idleMemory).toBeLessThanOrEqual(cap * (trace.to - trace.from) + ahead);
        expect(whole.cold).toBeGreaterThanOrEqual(all.length);
      }),
    );
  });
});
