import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AdaptiveMemory,
  type AdaptiveSeen,
  decideAdaptive,
  reviseAdaptive,
} from '#policies/keepalive/adaptive.ts';
import { binOf, makeMinuteBins, makeSecondBins } from '#policies/keepalive/bins.ts';
import {
  beginIdle,
  learnArrival,
  learnSurvival,
  makeFleet,
  makeModelHistory,
} from '#policies/keepalive/hazard.ts';
import { type Plan, stateAt, useOf } from '#policies/keepalive/plan.ts';

const MINUTE = 60_000;
const SEEN: AdaptiveSeen = { memory: 1, coldCost: 1 };

/** The price at which a cold start is worth so many minutes of the memory of `SEEN`. */
const worthMinutes = (minutes: number): number => 1 / (minutes * MINUTE);

function makeMemory(bins = makeMinuteBins()): AdaptiveMemory {
  const fleet = makeFleet(bins, 0);
  return { fleet, history: makeModelHistory(fleet) };
}

/** One model that is asked after each of these idle times, in minutes. Returns its last plan. */
function planAfter(
  idle: readonly number[],
  part: { price?: number; seen?: Partial<AdaptiveSeen>; memory?: AdaptiveMemory } = {},
): { plan: Plan; why: string; now: number } {
  const { price = worthMinutes(10), seen, memory = makeMemory() } = part;
  let now = 0;
  const decide = () => decideAdaptive({ price }, { ...SEEN, ...seen }, memory, now);
  learnArrival(memory.fleet, memory.history, now);
  let decided = decide();
  for (const minutes of idle) {
    now += minutes * MINUTE;
    learnArrival(memory.fleet, memory.history, now);
    decided = decide();
  }
  return { plan: decided.decision.plan, why: decided.why, now };
}

const times = (count: number, ...minutes: number[]): number[] =>
  Array.from({ length: count }, () => minutes).flat();

describe('the learned policy', () => {
  test('unloads at once and loads again just before a timer', () => {
    const { plan } = planAfter(times(60, 45));
    expect(plan[0]).toEqual({ after: 0, state: 'cold' });
    expect(stateAt(plan, 30 * MINUTE)).toBe('cold');
    expect(stateAt(plan, 45 * MINUTE)).toBe('hot');
    expect(stateAt(plan, 60 * MINUTE)).toBe('cold');
  });

  test('forgets a timer that has changed', () => {
    const { plan } = planAfter([...times(60, 45), ...times(60, 80)]);
    expect(stateAt(plan, 80 * MINUTE)).toBe('hot');
    expect(stateAt(plan, 60 * MINUTE)).toBe('cold');
  });

  test('keeps a busy model through its usual idle times, and lets go after them', () => {
    const { plan } = planAfter(times(40, 1, 2, 3));
    expect(stateAt(plan, 3 * MINUTE)).toBe('hot');
    expect(stateAt(plan, 60 * MINUTE)).toBe('cold');
  });

  test('a model without history follows what other models show', () => {
    const taught = (gap: number): Plan => {
      const memory = makeMemory();
      for (let other = 0; other < 30; other++) {
        planAfter(times(10, gap), {
          memory: { ...memory, history: makeModelHistory(memory.fleet) },
        });
      }
      return planAfter([gap], { memory }).plan;
    };
    const ofQuick = taught(4);
    const ofSlow = taught(300);
    expect(stateAt(ofQuick, 4 * MINUTE)).toBe('hot');
    expect(stateAt(ofSlow, 4 * MINUTE)).toBe('cold');
  });

  test('what others did after such an idle time counts more than what they did after others', () => {
    const hazardAfter = (idle: number): number => {
      const memory = makeMemory();
      for (let other = 0; other < 30; other++) {
        const history = makeModelHistory(memory.fleet);
        planAfter(times(10, other < 15 ? 3 : 100), { memory: { ...memory, history } });
      }
      planAfter([idle], { memory });
      return memory.fleet.hazards[2]!;
    };
    expect(hazardAfter(4)).toBeGreaterThan(3 * hazardAfter(61));
  });

  test('who is still idle teaches, too', () => {
    const memory = makeMemory();
    const { fleet } = memory;
    const hazardOfNew = (now: number): number => {
      beginIdle(fleet, makeModelHistory(fleet), now);
      return fleet.hazards[30]!;
    };
    const others = times(50, 0).map(() => makeModelHistory(fleet));
    for (const history of others) {
      learnArrival(fleet, history, 0);
      beginIdle(fleet, history, 0);
    }
    const before = hazardOfNew(0);
    for (const history of others) learnSurvival(fleet, history, 600 * MINUTE);
    expect(hazardOfNew(0)).toBeLessThan(before / 2);
  });

  test('without history it keeps for a fifth to five times what a cold start is worth', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.nat(400), { maxLength: 2 }),
        (worth, idle) => {
          const { plan } = planAfter(idle, { price: worthMinutes(worth) });
          expect(plan[0]!.after).toBeGreaterThanOrEqual(0.2 * worth * MINUTE - 1);
          expect(plan[0]!.after).toBeLessThanOrEqual(5 * worth * MINUTE + 1);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('memory that is dearer is not kept longer: cost, size and price trade as they should', () => {
    const idle = times(30, 1, 7, 2, 15, 3, 40);
    const kept = (price: number, seen: Partial<AdaptiveSeen> = {}): number =>
      planAfter(idle, { price, seen }).plan[0]!.after;
    const all = [1, 4, 16, 64, 256].map((minutes) => kept(worthMinutes(minutes)));
    expect(all.toSorted((a, b) => a - b)).toEqual(all);
    expect(all[0]).toBeLessThan(all[4]!);
    expect(kept(worthMinutes(10), { memory: 2 })).toBe(kept(worthMinutes(5)));
    expect(kept(worthMinutes(10), { coldCost: 2 })).toBe(kept(worthMinutes(20)));
  });

  test('where parking is cheap it is parked before it is unloaded', () => {
    const { plan } = planAfter(times(30, 1, 7, 2, 15), {
      seen: { parked: { share: 0.05, wake: 0.02 } },
    });
    expect(plan.map(({ state }) => state)).toContain('parked');
    expect(plan.at(-1)!.state).toBe('cold');
  });

  test('shadows are the plans at their prices', () => {
    const memory = makeMemory();
    planAfter(times(20, 5, 30), { memory });
    learnArrival(memory.fleet, memory.history, 1e9);
    const [low, high] = [worthMinutes(5), worthMinutes(50)];
    const { decision } = decideAdaptive({ price: low, shadows: [high, low] }, SEEN, memory, 1e9);
    expect(decision.shadows[1]).toEqual(decision.plan);
    expect(decision.shadows[0]).not.toEqual(decision.plan);
  });
});

test('the reason tells the plan, the history and the worth', () => {
  expect(planAfter([]).why).toMatch(
    /^cold after .*: never idle before; a cold start is worth 10m of its memory$/,
  );
  expect(planAfter(times(12, 45)).why).toMatch(/idle 12 times before, last for 45m/);
});

describe('bins', () => {
  test.each([
    ['minutes', makeMinuteBins()],
    ['seconds', makeSecondBins()],
  ])('%s: every idle time up to a day is in one', (_, bins) => {
    expect(bins.to.at(-1)).toBe(24 * 60 * MINUTE);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 * 60 * MINUTE }), (idle) => {
        const bin = binOf(bins, idle);
        expect(bins.from[bin]).toBeLessThan(idle);
        expect(bins.to[bin]).toBeGreaterThanOrEqual(idle);
      }),
    );
    expect(binOf(bins, 0)).toBe(0);
    expect(binOf(bins, 24 * 60 * MINUTE + 1)).toBe(bins.count);
  });

  test('a minute each up to four hours', () => {
    const bins = makeMinuteBins();
    expect(Array.from(bins.to.slice(0, 240), (to) => to / MINUTE)).toEqual(
      Array.from({ length: 240 }, (_, minute) => minute + 1),
    );
  });
});

describe('edges of what it learns', () => {
  test('who stays away for more than a day has survived all bins, and nothing breaks', () => {
    const { plan } = planAfter([3000, 1, 5000, 0.5, 1440], { price: worthMinutes(60) });
    for (const { after } of plan) expect(after).toBeLessThanOrEqual(1440 * MINUTE);
    expect(plan.at(-1)!.state).toBe('cold');
  });

  test('hazards stay between 0 and 1, whatever happened', () => {
    const idle = fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 80 });
    fc.assert(
      fc.property(idle, (list) => {
        const memory = makeMemory();
        planAfter(list, { memory });
        const { hazards, reached } = memory.fleet;
        expect(reached).toBeGreaterThan(0);
        for (const hazard of hazards.slice(0, reached)) {
          expect(hazard).toBeGreaterThan(0);
          expect(hazard).toBeLessThan(1);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('who was in use for a month without a pause spoils nothing', () => {
    const memory = makeMemory();
    const { fleet, history } = memory;
    learnArrival(fleet, history, 0);
    const idleSince = 40 * 1440 * MINUTE;
    beginIdle(fleet, history, idleSince);
    learnArrival(fleet, history, idleSince + 5 * MINUTE);
    expect(fleet.calibration.weights.every(Number.isFinite)).toBe(true);
    const { plan } = planAfter([10, 10], { memory: { fleet, history: makeModelHistory(fleet) } });
    expect(stateAt(plan, MINUTE)).toBe('hot');
  });

  test('after some days it knows the hour', () => {
    const memory = makeMemory();
    // Asked every ten minutes from 9 to 17 o'clock, for two weeks.
    const minutes = times(14, 0).flatMap((_, day) =>
      Array.from({ length: 49 }, (_, ten) => day * 1440 + 540 + ten * 10),
    );
    const gaps = minutes.map((minute, index) => minute - (minutes[index - 1] ?? 0));
    const hazardAt = (upTo: number): number => {
      const one = makeMemory();
      planAfter(gaps.slice(0, upTo), { memory: one });
      return one.fleet.hazards[9]!;
    };
    planAfter(gaps, { memory });
    // Ten minutes after a request at noon another is likely; after the last of the day it is less so.
    expect(hazardAt(14 * 49)).toBeLessThan(hazardAt(13 * 49 + 20));
  });
});

describe('planned anew in the midst of an idle time', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 3, maxLength: 40 });

  test('what has passed stays; where memory is dearer nothing is loaded for longer', () => {
    fc.assert(
      fc.property(gaps, fc.nat(600), fc.integer({ min: 2, max: 50 }), (list, minutes, times) => {
        const memory = makeMemory();
        const { plan, now } = planAfter(list, { memory });
        const idle = minutes * MINUTE;
        const at = (price: number): Plan =>
          reviseAdaptive({ price }, SEEN, { ...memory, plan }, now + idle).decision;
        const [same, dearer] = [at(worthMinutes(10)), at(worthMinutes(10) * times)];
        for (const each of [same, dearer]) expect(useOf(each, idle)).toEqual(useOf(plan, idle));
        expect(useOf(dearer, 1e9).hot).toBeLessThanOrEqual(useOf(same, 1e9).hot + 1e-6);
        expect(dearer.at(-1)!.state).toBe('cold');
      }),
      { numRuns: 50 },
    );
  });

  test('what is cold stays so until a request is near', () => {
    const memory = makeMemory();
    const { now } = planAfter(times(60, 45), { memory });
    const plan: Plan = [{ after: 20 * MINUTE, state: 'cold' }];
    const seen = { ...memory, plan };
    const { decision, why } = reviseAdaptive(
      { price: worthMinutes(10) },
      SEEN,
      seen,
      now + 20 * MINUTE,
    );
    expect(stateAt(decision, 30 * MINUTE)).toBe('cold');
    expect(stateAt(decision, 45 * MINUTE)).toBe('hot');
    expect(why).toMatch(/^cold after 20m, hot after 44m/);
  });

  test('what was cold for some seconds only, as after a restart, is not told', () => {
    const memory = makeMemory();
    const { now } = planAfter(times(60, 45), { memory });
    const plan: Plan = [
      { after: 13 * MINUTE, state: 'cold' },
      { after: 13 * MINUTE + 900, state: 'hot' },
    ];
    const at = now + 13 * MINUTE + 1000;
    const price = { price: worthMinutes(10) };
    const { decision, why } = reviseAdaptive(price, SEEN, { ...memory, plan }, at);
    expect(decision.slice(0, 2)).toEqual(plan);
    expect(why).not.toMatch(/cold after 13m, hot after 13m/);
  });

  test('without history it is kept until a fifth of what a cold start is worth by then', () => {
    const memory = makeMemory();
    const { plan, now } = planAfter([], { memory, price: worthMinutes(10) });
    const decide = (worth: number): Plan =>
      reviseAdaptive({ price: worthMinutes(worth) }, SEEN, { ...memory, plan }, now + MINUTE)
        .decision;
    expect(decide(100)[0]!.after).toBeGreaterThanOrEqual(20 * MINUTE);
    expect(decide(0.1)).toEqual([{ after: MINUTE, state: 'cold' }]);
  });
});

test('with seconds it tells timers of seconds apart', () => {
  const memory = makeMemory(makeSecondBins());
  const { plan } = planAfter(times(80, 0.5), { memory, price: worthMinutes(0.1) });
  expect(stateAt(plan, 15_000)).toBe('cold');
  expect(stateAt(plan, 30_000)).toBe('hot');
  expect(stateAt(plan, 60_000)).toBe('cold');
});
