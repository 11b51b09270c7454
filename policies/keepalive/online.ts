import { type AdaptiveSeen, decideAdaptive, replanAdaptive, reviseAdaptive } from './adaptive.ts';
import type { Bins } from './bins.ts';
import { type Fleet, learnArrival, learnSurvival, makeFleet, makeModelHistory } from './hazard.ts';
import type { History } from './history.ts';
import { type Plan, useOf } from './plan.ts';
import {
  countUse,
  decidePrice,
  makePriceMemory,
  type PriceMemory,
  type PriceRange,
  unseenFrom,
} from './price.ts';

/**
 * The learned policy as it runs live, and in the simulator: each model's plan at the price that its shadows find for
 * a budget. Who drives it tells of each request, of each beginning of an idle time, and now and then of the time that
 * passes; how often does not matter to what is learned. Memories are changed in place.
 */
export interface OnlineFleet {
  readonly fleet: Fleet;
  readonly prices: PriceMemory;
}

export interface OnlineModel {
  readonly history: History;
  /** What becomes of it while nobody comes; undefined: it is in use, or not planned for. */
  plan: Plan | undefined;
  /** The price at which it was planned. */
  price: number;
  /** What would become of it at each of the prices that are tried. */
  shadows: readonly Plan[];
  /** Until when their use is counted. */
  countedAt: number;
}

type Footprint = Pick<AdaptiveSeen, 'memory' | 'parked'>;

/** What loading ahead of a request takes, besides the time in which the model is then idle. */
export const SPECULATIVE_LOAD_MS = 30_000;
/** A price that is so many times another is worth another plan. */
const WORTH_REVISING = 1.25;

export function makeOnlineFleet(bins: Bins, range: PriceRange, now: number): OnlineFleet {
  return { fleet: makeFleet(bins, now), prices: makePriceMemory(range, now) };
}

export function makeOnlineModel({ fleet }: OnlineFleet, now: number): OnlineModel {
  const history = makeModelHistory(fleet);
  return { history, plan: undefined, price: Number.NaN, shadows: [], countedAt: now };
}

/** Time has passed for an idle model. */
export function passTime(all: OnlineFleet, one: OnlineModel, seen: Footprint, now: number): void {
  countShadows(all, one, seen, now);
  learnSurvival(all.fleet, one.history, now);
}

/** A request has come to a model that was idle, or to one that had none before. */
export function endIdleTime(
  all: OnlineFleet,
  one: OnlineModel,
  seen: Footprint,
  now: number,
): void {
  countShadows(all, one, seen, now);
  one.plan = undefined;
  one.shadows = [];
  learnArrival(all.fleet, one.history, now);
}

/** It has become idle. `budget`: a mean of memory that is loaded and idle, of all models. */
export function beginIdleTime(
  all: OnlineFleet,
  one: OnlineModel,
  seen: AdaptiveSeen,
  budget: number,
  now: number,
): { why: string } {
  const spec = { price: priceOf(all, budget, now), shadows: [...all.prices.prices] };
  const { decision, why } = decideAdaptive(spec, seen, { ...all, history: one.history }, now);
  one.plan = decision.plan;
  one.price = spec.price;
  one.shadows = decision.shadows;
  one.countedAt = now;
  return { why };
}

/** It is idle already, in the state that `before` says, and there is no plan for it: control has just come back. */
export function resumeIdleTime(
  all: OnlineFleet,
  one: OnlineModel,
  seen: AdaptiveSeen,
  budget: number,
  before: Plan,
  now: number,
): { why: string } {
  const { history } = one;
  one.shadows = replanAdaptive([...all.prices.prices], seen, { ...all, history });
  one.countedAt = now;
  return revise(all, one, seen, { price: priceOf(all, budget, now), plan: before }, now);
}

/** Plans anew for one that is idle under a plan when this price is another one; undefined: it is not. */
export function followPrice(
  all: OnlineFleet,
  one: OnlineModel,
  seen: AdaptiveSeen,
  price: number,
  now: number,
): { why: string } | undefined {
  const { plan } = one;
  const ratio = price / one.price;
  if (!plan || (ratio < WORTH_REVISING && ratio > 1 / WORTH_REVISING)) return undefined;
  return revise(all, one, seen, { price, plan }, now);
}

function revise(
  { fleet }: OnlineFleet,
  one: OnlineModel,
  seen: AdaptiveSeen,
  { price, plan }: { price: number; plan: Plan },
  now: number,
): { why: string } {
  const { history } = one;
  const { decision, why } = reviseAdaptive({ price }, seen, { fleet, history, plan }, now);
  one.plan = decision;
  one.price = price;
  return { why };
}

/** What memory costs now. */
export function priceOf({ prices }: OnlineFleet, budget: number, now: number): number {
  return decidePrice(budget, prices, now).decision;
}

function countShadows(
  { prices }: OnlineFleet,
  one: OnlineModel,
  seen: Footprint,
  now: number,
): void {
  const { idleSince } = one.history;
  const [from, to] = [one.countedAt - idleSince, now - idleSince];
  const unseen = Math.max(from, unseenFrom(prices, idleSince));
  one.shadows.forEach((plan, shadow) => {
    const used = usedBetween(plan, seen, from, to);
    if (used > 0) countUse(prices, shadow, used, now);
    if (to <= unseen) return;
    const stands = usedBetween(plan, seen, unseen, to);
    if (stands > 0) countUse(prices, shadow, stands, idleSince);
  });
  one.countedAt = now;
}

/** Memory × ms that a plan takes between two idle times. */
function usedBetween(plan: Plan, { memory, parked }: Footprint, from: number, to: number): number {
  const before = useOf(plan, from);
  const until = useOf(plan, to);
  const loads = (until.loads - before.loads) * SPECULATIVE_LOAD_MS;
  const frozen = (until.parked - before.parked) * (parked?.share ?? 1);
  return memory * (until.hot - before.hot + frozen + loads);
}
