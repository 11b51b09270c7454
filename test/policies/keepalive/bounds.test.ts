import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { boundHot } from '#policies/keepalive/bounds.ts';
import { type Plan, stateAt, useOf } from '#policies/keepalive/plan.ts';

const state = fc.constantFrom('hot' as const, 'parked' as const, 'cold' as const);
const plans: fc.Arbitrary<Plan> = fc
  .array(fc.record({ after: fc.nat(300), state }), { maxLength: 6 })
  .map((steps) => steps.toSorted((a, b) => a.after - b.after));

describe('bounds of the time that a model is hot', () => {
  test('whatever the plan: hot until the least, not longer in all than the most', () => {
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 100 }), fc.nat(300), (plan, least, more) => {
        const bounded = boundHot(plan, least, least + more);
        expect(stateAt(bounded, least)).toBe('hot');
        expect(useOf(bounded, 1000).hot).toBeLessThanOrEqual(least + more);
      }),
    );
  });

  test('a plan within its bounds stays as it is', () => {
    const plan: Plan = [
      { after: 20, state: 'cold' },
      { after: 50, state: 'hot' },
      { after: 60, state: 'cold' },
    ];
    expect(boundHot(plan, 20, 30)).toEqual(plan);
    expect(boundHot(plan, 10, 25)).toEqual([...plan.slice(0, 2), { after: 55, state: 'cold' }]);
    expect(boundHot(plan, 55, 100)).toEqual([{ after: 60, state: 'cold' }]);
    expect(boundHot(plan, 50, 100)).toEqual([{ after: 60, state: 'cold' }]);
    expect(boundHot(plan, 10, 19)).toEqual([{ after: 19, state: 'cold' }]);
    expect(boundHot(plan, 30, 100)).toEqual([{ after: 30, state: 'cold' }, ...plan.slice(1)]);
  });

  test('costs at most six times what knowing the future would', () => {
    const worth = 100;
    const gap = fc.integer({ min: 1, max: 1000 });
    // Loads ahead come on top; they are chosen by what they save.
    const keepOnly = plans.map((plan) => plan.filter(({ state }) => state === 'cold').slice(0, 1));
    fc.assert(
      fc.property(keepOnly, gap, (plan, idle) => {
        const bounded = boundHot(plan, 0.2 * worth, 5 * worth);
        const cold = stateAt(bounded, idle) === 'cold' ? 1 : 0;
        const paid = useOf(bounded, idle).hot / worth + cold;
        expect(paid).toBeLessThanOrEqual(6 * Math.min(idle / worth, 1) + 1e-9);
      }),
    );
  });
});
