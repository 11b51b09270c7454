import { decideAdaptive } from '#policies/keepalive/adaptive.ts';
import { binOf } from '#policies/keepalive/bins.ts';
import { beginIdle } from '#policies/keepalive/hazard.ts';
import { type Plan, useOf } from '#policies/keepalive/plan.ts';
import { countUse, decidePrice, makePriceMemory } from '#policies/keepalive/price.ts';
import { fillWorth } from '#policies/keepalive/worth.ts';
import { SPECULATIVE_LOAD_MS } from './account.ts';
import { createLearner } from './learner.ts';
import type { Planner } from './replay.ts';
import type { Evictor } from './replay-capped.ts';
import type { Trace } from './trace.ts';

/** The learned policy at each of these prices: what it learns does not depend on what it decides. */
export function createAdaptive(trace: Trace, prices: readonly number[]): Planner {
  const { fleet, histories, tick, arrive } = createLearner(trace);
  const spec = { price: prices[0]!, shadows: prices.slice(1) };
  return {
    variants: prices.map((price) => `adaptive at ${price.toPrecision(3)}`),
    tick,
    arrive,
    plan(model, now) {
      const memory = { fleet, history: histories[model]! };
      const { decision } = decideAdaptive(spec, trace.models[model]!, memory, now);
      return [decision.plan, ...decision.shadows];
    },
  };
}

/** The learned policy as it runs live: it finds the price for its budget by itself. */
export function createOnline(trace: Trace, budget: number): Planner {
  const { fleet, histories, tick, arrive } = createLearner(trace);
  const prices = makePriceMemory(typicalWorth(trace), trace.from);
  const shadows = [...prices.prices];
  const plans: (readonly Plan[])[] = trace.models.map(() => []);
  const counted = new Float64Array(trace.models.length);

  function count(model: number, now: number): void {
    const { idleSince } = histories[model]!;
    const { memory } = trace.models[model]!;
    plans[model]!.forEach((plan, shadow) => {
      const before = useOf(plan, counted[model]! - idleSince);
      const until = useOf(plan, now - idleSince);
      const loads = (until.loads - before.loads) * SPECULATIVE_LOAD_MS;
      const used = memory * (until.hot - before.hot + loads);
      if (used > 0) countUse(prices, shadow, used, now);
    });
    counted[model] = now;
  }

  return {
    variants: ['adaptive:online'],
    tick(now) {
      plans.forEach((_, model) => count(model, now));
      tick(now);
    },
    arrive(model, idle, now) {
      count(model, now);
      plans[model] = [];
      arrive(model, idle, now);
    },
    plan(model, now) {
      const memory = { fleet, history: histories[model]! };
      const price = decidePrice(budget, prices, now).decision;
      const { decision } = decideAdaptive({ price, shadows }, trace.models[model]!, memory, now);
      plans[model] = decision.shadows;
      counted[model] = now;
      return [decision.plan];
    },
  };
}

/** Seconds of cold start over memory: the median of the models. */
export function typicalWorth(trace: Trace): number {
  const worths = trace.models.map(({ coldCost, memory }) => coldCost / memory);
  return worths.toSorted((a, b) => a - b)[worths.length >>> 1]!;
}

/** Evicts what is least likely to be asked soon for its memory. */
export function createAdaptiveEvictor(trace: Trace): Evictor {
  const { fleet, histories, tick, arrive } = createLearner(trace);
  const worths = trace.models.map(() => new Float32Array(fleet.bins.count));
  return {
    name: 'adaptive:evict',
    tick,
    arrive,
    idle(model, now) {
      beginIdle(fleet, histories[model]!, now);
      fillWorth(fleet.bins, fleet.hazards, fleet.reached, worths[model]!);
    },
    worth(model, now) {
      const { memory, coldCost } = trace.models[model]!;
      const bin = binOf(fleet.bins, now - histories[model]!.idleSince);
      return (worths[model]![Math.min(bin, fleet.bins.count - 1)]! * coldCost) / memory;
    },
  };
}
