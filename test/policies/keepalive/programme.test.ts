import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Bins } from '#policies/keepalive/bins.ts';
import type { Plan, Temperature } from '#policies/keepalive/plan.ts';
import { type Costs, makeCheapestPlan, STATES } from '#policies/keepalive/programme.ts';

function makeBins(widths: readonly number[]): Bins {
  const to = widths.map((_, bin) => widths.slice(0, bin + 1).reduce((sum, each) => sum + each, 0));
  return {
    count: widths.length,
    from: Float64Array.from([0, ...to.slice(0, -1)]),
    to: Float64Array.from(to),
    ageClass: new Uint8Array(widths.length),
  };
}

function decide(bins: Bins, hazards: readonly number[], costs: Costs): Plan {
  const choices = new Uint8Array(bins.count * STATES);
  return makeCheapestPlan(bins, Float64Array.from(hazards), bins.count, costs, choices);
}

/** What a course of states is expected to cost, told forwards, in the words of the method. */
function expectedCost(
  course: readonly Temperature[],
  bins: Bins,
  hazards: readonly number[],
  { hot, cold, parked }: Costs,
): number {
  let total = 0;
  let reached = 1;
  course.forEach((state, bin) => {
    const before = bin === 0 ? 'hot' : course[bin - 1]!;
    const hazard = hazards[bin]!;
    const saved = before === 'cold' ? cold : (parked?.wake ?? 0);
    if (state === 'hot' && before !== 'hot') total += reached * 0.05 * saved;
    const kept = hot * (bins.to[bin]! - bins.from[bin]!) * (1 - hazard / 2);
    const cost = {
      hot: kept,
      parked: kept * (parked?.share ?? 0) + hazard * (parked?.wake ?? 0),
      cold: hazard * cold,
    };
    total += reached * cost[state];
    reached *= 1 - hazard;
  });
  return total + reached * cold;
}

function courses(count: number, states: readonly Temperature[]): Temperature[][] {
  if (count === 0) return [[]];
  return courses(count - 1, states).flatMap((course) =>
    states
      // What has been unloaded cannot be frozen, only loaded.
      .filter((state) => state !== 'parked' || course.at(-1) !== 'cold')
      .map((state) => course.concat(state)),
  );
}

function courseOf(plan: Plan, bins: Bins): Temperature[] {
  return Array.from(
    bins.from,
    (from) => plan.findLast(({ after }) => after <= from)?.state ?? 'hot',
  );
}

const widths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
const hazard = fc.double({ min: 0.001, max: 0.999, noNaN: true });
const parked = fc.record({
  share: fc.double({ min: 0.05, max: 1, noNaN: true }),
  wake: fc.double({ min: 0.01, max: 1, noNaN: true }),
});

describe('the programme', () => {
  test('no course of states is cheaper than its plan', () => {
    fc.assert(
      fc.property(
        widths,
        fc.array(hazard, { minLength: 5, maxLength: 5 }),
        fc.double({ min: 0.0001, max: 0.2, noNaN: true }),
        fc.option(parked, { nil: undefined }),
        (sizes, hazards, hot, park) => {
          const bins = makeBins(sizes);
          const costs: Costs = { hot, cold: 1, parked: park };
          const states: Temperature[] = park ? ['hot', 'parked', 'cold'] : ['hot', 'cold'];
          const all = courses(bins.count, states);
          const best = Math.min(...all.map((one) => expectedCost(one, bins, hazards, costs)));
          const plan = decide(bins, hazards, costs);
          const own = expectedCost(courseOf(plan, bins), bins, hazards, costs);
          expect(own).toBeCloseTo(best, 10);
        },
      ),
    );
  });

  test.each([
    ['kept while a request is likely', [0.5, 0.5, 0.001, 0.001], 0.01, undefined, [[20, 'cold']]],
    ['unloaded at once when memory is dear', [0.1, 0.1, 0.1, 0.1], 1, undefined, [[0, 'cold']]],
    [
      'loaded ahead of a timer',
      [0.001, 0.001, 0.9, 0.001],
      0.02,
      undefined,
      [
        [0, 'cold'],
        [20, 'hot'],
        [30, 'cold'],
      ],
    ],
    [
      'parked between',
      [0.001, 0.001, 0.9, 0.001],
      0.02,
      { share: 0.01, wake: 0.01 },
      [
        [0, 'parked'],
        [30, 'cold'],
      ],
    ],
  ] as const)('%s', (_, hazards, hot, parked, plan) => {
    const bins = makeBins([10, 10, 10, 10]);
    const found = decide(bins, hazards, { hot, cold: 1, parked });
    expect(found.map(({ after, state }) => [after, state])).toEqual(plan);
  });

  test('ends cold: after the last bin nobody is waited for', () => {
    expect(decide(makeBins([10, 10]), [0.9, 0.9], { hot: 0.001, cold: 1 })).toEqual([
      { after: 20, state: 'cold' },
    ]);
  });
});
