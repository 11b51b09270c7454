import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { startEarlier } from '#policies/keepalive/bounds.ts';
import { countTaken, decideIdleBudget, makeIdleBudget } from '#policies/keepalive/idle-budget.ts';
import {
  areAlike,
  isAhead,
  nextStep,
  type Plan,
  stateAfter,
  switchPlans,
  type Temperature,
  useOf,
} from '#policies/keepalive/plan.ts';

const STATES: readonly Temperature[] = ['hot', 'parked', 'cold'];

/** Steps as plans have them: later and later, each to another state. */
const plans: fc.Arbitrary<Plan> = fc
  .array(fc.record({ wait: fc.integer({ min: 1, max: 500 }), turn: fc.nat(1) }), { maxLength: 6 })
  .map((steps) => {
    let [after, state] = [-1, 0];
    return steps.map(({ wait, turn }) => {
      after += wait;
      state = (state + 1 + turn) % STATES.length;
      return { after, state: STATES[state]! };
    });
  });

describe('a plan', () => {
  test('hot, parked and cold, and hot again ahead of a request', () => {
    const plan: Plan = [
      { after: 10, state: 'cold' },
      { after: 30, state: 'hot' },
      { after: 40, state: 'cold' },
    ];
    expect([9, 10, 29, 30, 39, 40].map((idle) => isAhead(plan, idle))).toEqual([
      false,
      false,
      false,
      true,
      true,
      false,
    ]);
    expect([0, 10, 39, 40].map((idle) => nextStep(plan, idle))).toEqual([10, 30, 40, undefined]);
  });

  test('switched to another one, it is itself until then and the other one from then on', () => {
    fc.assert(
      fc.property(plans, plans, fc.nat(1000), fc.nat(2000), (before, next, idle, at) => {
        const joined = switchPlans(before, next, idle);
        expect(stateAfter(joined, at)).toBe(stateAfter(at < idle ? before : next, at));
        expect(joined.map(({ after }) => after)).toEqual(
          joined.map(({ after }) => after).toSorted((a, b) => a - b),
        );
        expect(useOf(joined, idle)).toEqual(useOf(before, idle));
      }),
    );
  });

  test.each([
    [[], [], true],
    [[{ after: 100_000, state: 'cold' }], [{ after: 120_000, state: 'cold' }], true],
    [[{ after: 100_000, state: 'cold' }], [{ after: 300_000, state: 'cold' }], false],
    [[{ after: 0, state: 'cold' }], [{ after: 4000, state: 'cold' }], true],
    [[{ after: 100_000, state: 'cold' }], [{ after: 100_000, state: 'parked' }], false],
    [[{ after: 100_000, state: 'cold' }], [], false],
  ] as [Plan, Plan, boolean][])('%j and %j read alike: %s', (one, other, alike) => {
    expect(areAlike(one, other)).toBe(alike);
    expect(areAlike(other, one)).toBe(alike);
  });

  test.each([
    ['a load', [0, 'cold', 60, 'hot', 90, 'cold'], [0, 'cold', 50, 'hot', 90, 'cold']],
    ['one that would come too late', [20, 'cold', 25, 'hot', 90, 'cold'], [90, 'cold']],
    ['what is parked wakes at once', [5, 'parked', 60, 'hot'], [5, 'parked', 60, 'hot']],
    ['parked until then', [5, 'parked', 52, 'cold', 60, 'hot'], [5, 'parked', 52, 'hot']],
  ] as const)('starts earlier by what a start takes: %s', (_, before, expected) => {
    expect(startEarlier(makePlan(before), 10)).toEqual(makePlan(expected));
  });
});

function makePlan(steps: readonly (number | Temperature)[]): Plan {
  return steps.flatMap((after, index) =>
    typeof after === 'number' ? [{ after, state: steps[index + 1] as Temperature }] : [],
  );
}

describe('what may be idle', () => {
  const HOUR = 3_600_000;

  test('is four fifths of the budget less what was taken, on average', () => {
    const memory = makeIdleBudget(0);
    expect(decideIdleBudget(1000, memory)).toBe(800);
    for (let hour = 1; hour <= 4; hour++) countTaken(memory, hour <= 2 ? 100 : 300, hour * HOUR);
    expect(decideIdleBudget(1000, memory)).toBeGreaterThan(590);
    expect(decideIdleBudget(1000, memory)).toBeLessThan(600);
  });

  test('what was taken long ago does not count, and none is left where all is taken', () => {
    const memory = makeIdleBudget(0);
    countTaken(memory, 900, 24 * HOUR);
    expect(decideIdleBudget(1000, memory)).toBe(0);
    for (let hour = 25; hour <= 24 * 8; hour++) countTaken(memory, 0, hour * HOUR);
    expect(decideIdleBudget(1000, memory)).toBeGreaterThan(795);
  });

  test('is without bound where the budget is', () => {
    expect(decideIdleBudget(Infinity, makeIdleBudget(0))).toBe(Infinity);
  });
});
