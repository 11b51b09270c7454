import { decideAdaptive } from '#policies/keepalive/adaptive.ts';
import { binOf } from '#policies/keepalive/bins.ts';
import { beginIdle } from '#policies/keepalive/hazard.ts';
import {
  beginIdleTime,
  endIdleTime,
  followPrice,
  makeOnlineFleet,
  makeOnlineModel,
  passTime,
  priceOf,
} from '#policies/keepalive/online.ts';
import { rangeAround } from '#policies/keepalive/price.ts';
import { fillWorth } from '#policies/keepalive/worth.ts';
import { binsOf, createLearner } from './learner.ts';
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
  const all = makeOnlineFleet(binsOf(trace), rangeAround(typicalWorth(trace)), trace.from);
  const learned = trace.models.map(() => makeOnlineModel(all, trace.from));
  let price = Number.NaN;
  return {
    variants: ['adaptive:online'],
    tick(now) {
      learned.forEach((one, model) => passTime(all, one, trace.models[model]!, now));
      price = priceOf(all, budget, now);
    },
    arrive(model, _, now) {
      endIdleTime(all, learned[model]!, trace.models[model]!, now);
    },
    plan(model, now) {
      const one = learned[model]!;
      beginIdleTime(all, one, trace.models[model]!, budget, now);
      return [one.plan ?? []];
    },
    revise(model, now) {
      const one = learned[model]!;
      const revised = followPrice(all, one, trace.models[model]!, price, now);
      return revised && [one.plan ?? []];
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
