import { formatDuration } from '#domain/units.ts';
import { boundHot, keepThrough, type Window } from './bounds.ts';
import { beginIdle, type Fleet } from './hazard.ts';
import type { History } from './history.ts';
import type { Plan } from './plan.ts';
import { makeCheapestPlan } from './programme.ts';

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
  readonly parked?: { readonly share: number; readonly wake: number };
  /** Instances that there always are. */
  readonly min?: number;
  /** When it is to be ready by schedule. */
  readonly windows?: readonly Window[];
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
  const planAt = (price: number): Plan =>
    withOverrides(cheapest(fleet, history, seen, price), seen, now);
  const plan = planAt(spec.price);
  const decision = { plan, shadows: (spec.shadows ?? []).map(planAt) };
  return { decision, memory, why: explain(plan, spec, seen, history) };
}

function cheapest(fleet: Fleet, history: History, seen: AdaptiveSeen, price: number): Plan {
  const { bins, hazards, reached, choices } = fleet;
  const hot = price * seen.memory;
  const costs = { hot, cold: seen.coldCost, parked: seen.parked };
  const plan = makeCheapestPlan(bins, hazards, reached, costs, choices);
  const worth = seen.coldCost / hot;
  return history.gaps < HISTORY ? boundHot(plan, LEAST * worth, MOST * worth) : plan;
}

function withOverrides(plan: Plan, { min = 0, windows = [] }: AdaptiveSeen, now: number): Plan {
  if (min > 0) return [];
  return windows.length === 0 ? plan : keepThrough(plan, windows, now);
}

function explain(
  plan: Plan,
  { price }: AdaptiveSpec,
  { memory, coldCost, min = 0, windows = [] }: AdaptiveSeen,
  { gaps, lastGap }: History,
): string {
  const steps = plan.map(({ after, state }) => `${state} after ${formatDuration(after)}`);
  const then = steps.length === 0 ? 'kept' : steps.join(', ');
  if (min > 0) return `${then}: min is ${min}`;
  const known =
    gaps === 0
      ? 'never idle before'
      : `idle ${gaps} times before, last for ${formatDuration(lastGap)}`;
  const worth = `a cold start is worth ${formatDuration(coldCost / (price * memory))} of its memory`;
  const scheduled = windows.length > 0 ? ', and by its schedule' : '';
  return `${then}: ${known}; ${worth}${scheduled}`;
}
