import { describe, expect, test } from 'vitest';
import { makeFixedPlan } from '#policies/keepalive/fixed.ts';
import { makeHybridPlan, learnHybrid, makeHybridMemory } from '#policies/keepalive/hybrid.ts';
import { stateAt, useOf } from '#policies/keepalive/plan.ts';

const MINUTE = 60_000;
const FOUR_HOURS = [{ after: 240 * MINUTE, state: 'cold' }];

/** In minutes, rounded to a thousandth. */
function planAfter(...minutes: readonly number[]): { after: number; state: string }[] {
  const memory = minutes.reduce((so, idle) => learnHybrid(so, idle * MINUTE), makeHybridMemory());
  return makeHybridPlan(memory).map(({ after, state }) => ({
    after: Math.round((after / MINUTE) * 1000) / 1000,
    state,
  }));
}

const times = (count: number, ...minutes: number[]): number[] =>
  Array.from({ length: count }, () => minutes).flat();

describe('the hybrid histogram', () => {
  test('keeps for four hours what it does not know', () => {
    expect(makeHybridPlan(makeHybridMemory())).toEqual(FOUR_HOURS);
    const everywhere = Array.from({ length: 240 }, (_, minute) => minute + 1);
    expect(planAfter(...everywhere)).toEqual([{ after: 240, state: 'cold' }]);
  });

  test('unloads at once and loads ahead of a timer', () => {
    expect(planAfter(...times(20, 30))).toEqual([
      { after: 0, state: 'cold' },
      { after: 26.1, state: 'hot' },
      { after: 33, state: 'cold' },
    ]);
  });

  test('stays loaded when the head is the first minute', () => {
    expect(planAfter(...times(20, 1, 5))).toEqual([{ after: 5.5, state: 'cold' }]);
  });

  test('leaves outliers out: the 5th and the 99th percentile are the window', () => {
    const idle = [...times(4, 1), ...times(195, 20), 200];
    expect(planAfter(...idle)[1]).toEqual({ after: 17.1, state: 'hot' });
    expect(planAfter(...idle)[2]).toEqual({ after: 22, state: 'cold' });
  });

  test('forecasts when half of the idle times are beyond four hours', () => {
    expect(planAfter(10, 300)).toEqual([
      { after: 0, state: 'cold' },
      { after: 255, state: 'hot' },
      { after: 345, state: 'cold' },
    ]);
    // Alternating: after a short one comes a long one.
    const [, load] = planAfter(400, 600, 400, 600, 400);
    expect(load).toEqual({ after: 510, state: 'hot' });
    expect(planAfter(300, 300, 300, 300)[1]).toEqual({ after: 255, state: 'hot' });
  });
});

describe('plans', () => {
  const plan = [
    { after: 10, state: 'parked' },
    { after: 30, state: 'cold' },
    { after: 50, state: 'hot' },
    { after: 60, state: 'cold' },
  ] as const;

  test.each([
    [0, 'hot', 0, 0, 0],
    [10, 'hot', 10, 0, 0],
    [11, 'parked', 10, 1, 0],
    [40, 'cold', 10, 20, 0],
    [50, 'cold', 10, 20, 0],
    [55, 'hot', 15, 20, 1],
    [1000, 'cold', 20, 20, 1],
  ])('after %d: %s', (idle, state, hot, parked, loads) => {
    expect(stateAt(plan, idle)).toBe(state);
    expect(useOf(plan, idle)).toEqual({ hot, parked, loads });
  });

  test('what is parked is woken ahead of a request, not loaded', () => {
    const wakes = [
      { after: 10, state: 'parked' },
      { after: 30, state: 'hot' },
    ] as const;
    expect(useOf(wakes, 40)).toEqual({ hot: 20, parked: 20, loads: 0 });
  });

  test('a fixed time, with and without freezing', () => {
    expect(makeFixedPlan({ idle: 60 })).toEqual([{ after: 60, state: 'cold' }]);
    expect(makeFixedPlan({ idle: 60, park: 100 })).toEqual([
      { after: 60, state: 'parked' },
      { after: 160, state: 'cold' },
    ]);
  });
});
