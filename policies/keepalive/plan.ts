/** What an idle model's memory is: in use and ready, frozen and mostly given back, or none. */
export type Temperature = 'hot' | 'parked' | 'cold';

/** From this idle time on (ms) it is in this state. */
export interface Step {
  readonly after: number;
  readonly state: Temperature;
}

/**
 * What becomes of a model while nobody comes, in the order of its idle time: hot before the first step. A
 * request that comes in the very moment of a step finds what was there before it.
 */
export type Plan = readonly Step[];

export interface PlanUse {
  /** Milliseconds of the idle time in which it was hot, and in which it was parked. */
  readonly hot: number;
  readonly parked: number;
  /** How often it was loaded or woken without a request. */
  readonly loads: number;
}

export function stateAt(plan: Plan, idle: number): Temperature {
  let state: Temperature = 'hot';
  for (const step of plan) {
    if (step.after >= idle) break;
    state = step.state;
  }
  return state;
}

/** As of this idle time, for as long as nobody comes. */
export function stateAfter(plan: Plan, idle: number): Temperature {
  return plan.findLast(({ after }) => after <= idle)?.state ?? 'hot';
}

/** What a plan has cost after this idle time. */
export function useOf(plan: Plan, idle: number): PlanUse {
  const use = { hot: 0, parked: 0, loads: 0 };
  let state: Temperature = 'hot';
  let since = 0;
  for (const step of plan) {
    if (step.after >= idle) break;
    if (state !== 'cold') use[state] += step.after - since;
    if (step.state === 'hot' && state !== 'hot') use.loads++;
    state = step.state;
    since = step.after;
  }
  if (state !== 'cold') use[state] += Math.max(0, idle - since);
  return use;
}
