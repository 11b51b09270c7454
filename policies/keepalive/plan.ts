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
  /** How often it was loaded without a request: from cold, since waking what is parked takes no memory. */
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

/** Whether it is hot at this idle time because a request is expected, not because one has come. */
export function isAhead(plan: Plan, idle: number): boolean {
  return plan.findLast(({ after }) => after <= idle)?.state === 'hot';
}

/** The idle time of the next step; undefined: there is none. */
export function nextStep(plan: Plan, idle: number): number | undefined {
  return plan.find(({ after }) => after > idle)?.after;
}

/** Steps that are so many times as late as others are others to who reads of them. */
const ALIKE = 1.5;
const SOON_MS = 10_000;

/** Whether a reader would take the one for the other: the same steps, about as late. */
export function areAlike(one: Plan, other: Plan): boolean {
  return (
    one.length === other.length &&
    one.every(({ after, state }, index) => {
      const second = other[index]!;
      const ratio = (after + SOON_MS) / (second.after + SOON_MS);
      return state === second.state && ratio < ALIKE && ratio > 1 / ALIKE;
    })
  );
}

/** Until this idle time the one plan, then the other. */
export function switchPlans(before: Plan, next: Plan, idle: number): Plan {
  const past = before.filter(({ after }) => after <= idle);
  const state = stateAfter(next, idle);
  const turn: Step[] = stateAfter(past, idle) === state ? [] : [{ after: idle, state }];
  return [...past, ...turn, ...next.filter(({ after }) => after > idle)];
}

/** What a plan has cost after this idle time. */
export function useOf(plan: Plan, idle: number): PlanUse {
  const use = { hot: 0, parked: 0, loads: 0 };
  let state: Temperature = 'hot';
  let since = 0;
  for (const step of plan) {
    if (step.after >= idle) break;
    if (state !== 'cold') use[state] += step.after - since;
    if (step.state === 'hot' && state === 'cold') use.loads++;
    state = step.state;
    since = step.after;
  }
  if (state !== 'cold') use[state] += Math.max(0, idle - since);
  return use;
}
