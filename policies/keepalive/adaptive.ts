import { formatDuration } from '#domain/units.ts';
import { binOf } from './bins.ts';
import { boundHot, startEarlier } from './bounds.ts';
import { beginIdle, type Fleet, foresee } from './hazard.ts';
import type { History } from './history.ts';
import { type Plan, stateAfter, type Step, switchPlans } from './plan.ts';
import { makeCheapestPlan, type Start } from './programme.ts';

export interface AdaptiveSpec {
  /** What a unit of memory costs for a ms, in seconds of cold start. */
  readonly price: number;
  /** Prices for which there is to be a plan, too, only to be counted. */
  readonly shadows?: readonly number[];
}

export interface AdaptiveSeen {
  /** What it takes while it is loaded. */
  readonly memory: number;
  /** What a cold start costs, in seconds. */
  readonly coldCost: number;
  /** Present: it can be frozen, which keeps this share of its memory and wakes in so many seconds. */
  readonly parked?: { readonly share: number; readonly wake: number } | undefined;
  /** How long a start takes, ms: what is loaded ahead of a request is begun so much earlier. */
  readonly startMs?: number;
}

export interface AdaptiveMemory {
  readonly fleet: Fleet;
  readonly history: History;
}

export interface AdaptiveDecision {
  readonly plan: Plan;
  readonly shadows: readonly Plan[];
}

/** So many idle times are a history. With fewer the regret is bounded. */
const HISTORY = 3;
/** Bounds of the time that a model without history is kept, over what its cold start is worth. */
const LEAST = 0.2;
const MOST = 5;
/** Freezing what keeps more than this share of its memory is not worth the trouble. */
const MOST_PARKED = 0.7;

/**
 * What becomes of a model that has just become idle, while nobody comes: the plan that costs least in cold starts
 * and memory, as far as requests can be foreseen. The memory is changed in place.
 */
export function decideAdaptive(
  spec: AdaptiveSpec,
  seen: AdaptiveSeen,
  memory: AdaptiveMemory,
  now: number,
): { decision: AdaptiveDecision; memory: AdaptiveMemory; why: string } {
  const { fleet, history } = memory;
  beginIdle(fleet, history, now);
  const [plan, ...shadows] = planAt([spec.price, ...(spec.shadows ?? [])], seen, memory);
  const decision = { plan: plan!, shadows };
  return { decision, memory, why: explain(decision.plan, spec, seen, history) };
}

/** Plans of a model that is idle, from the beginning of its idle time on, as it is foreseen now: one for each price. */
export function replanAdaptive(
  prices: readonly number[],
  seen: AdaptiveSeen,
  memory: AdaptiveMemory,
): readonly Plan[] {
  foresee(memory.fleet, memory.history, 0);
  return planAt(prices, seen, memory);
}

function planAt(
  prices: readonly number[],
  seen: AdaptiveSeen,
  { fleet, history }: AdaptiveMemory,
): readonly Plan[] {
  return prices.map((price) => {
    const plan = bound(cheapest(fleet, seen, price), history, seen, price, true);
    return startEarlier(plan, seen.startMs);
  });
}

/**
 * The same for one that is idle already, under a plan: that stays for the idle time that has passed, and from now on
 * there is another.
 */
export function reviseAdaptive(
  { price }: Pick<AdaptiveSpec, 'price'>,
  seen: AdaptiveSeen,
  { fleet, history, plan }: AdaptiveMemory & { readonly plan: Plan },
  now: number,
): { decision: Plan; why: string } {
  const idle = now - history.idleSince;
  const bin = Math.min(binOf(fleet.bins, idle), fleet.bins.count - 1);
  const state = stateAfter(plan, idle);
  foresee(fleet, history, bin);
  const rest = cheapest(fleet, seen, price, { bin, state });
  const joined = switchPlans(plan, [{ after: 0, state }, ...rest], idle);
  const bounded = bound(joined, history, seen, price, state === 'hot');
  const decision = switchPlans(plan, startEarlier(bounded, seen.startMs), idle);
  return { decision, why: explain(decision, { price }, seen, history) };
}

function cheapest(fleet: Fleet, seen: AdaptiveSeen, price: number, start?: Start): Plan {
  const { bins, hazards, reached, choices } = fleet;
  const parked = seen.parked && seen.parked.share <= MOST_PARKED ? seen.parked : undefined;
  const costs = { hot: price * seen.memory, cold: seen.coldCost, parked };
  return makeCheapestPlan(bins, hazards, reached, costs, choices, start);
}

function bound(
  plan: Plan,
  { gaps }: History,
  { memory, coldCost }: AdaptiveSeen,
  price: number,
  fromHot: boolean,
): Plan {
  const worth = coldCost / (price * memory);
  return gaps < HISTORY ? boundHot(plan, fromHot ? LEAST * worth : 0, MOST * worth) : plan;
}

function explain(
  plan: Plan,
  { price }: AdaptiveSpec,
  { memory, coldCost }: AdaptiveSeen,
  { gaps, lastGap }: History,
): string {
  const steps = formatSteps(plan);
  const then = steps.length === 0 ? 'kept' : steps.join(', ');
  const known =
    gaps === 0
      ? 'never idle before'
      : `idle ${gaps === 1 ? 'once' : `${gaps} times`} before, last for ${formatDuration(lastGap)}`;
  const worth = `a cold start is worth ${formatDuration(coldCost / (price * memory))} of its memory`;
  return `${then}: ${known}; ${worth}`;
}

/** Of steps that follow each other in what a reader takes for one moment, the last one. */
function formatSteps(plan: Plan): string[] {
  const told: { readonly state: Step['state']; readonly after: string }[] = [];
  for (const { state, after } of plan) {
    const text = formatDuration(after);
    if (told.at(-1)?.after === text) told.pop();
    if (state !== (told.at(-1)?.state ?? 'hot')) told.push({ state, after: text });
  }
  return told.map(({ state, after }) => `${state} after ${after}`);
}
