import { type Plan, stateAfter, type Step } from './plan.ts';

/**
 * The plan, but hot for at least `least` ms before anything else, and for at most `most` in all. With a fifth
 * and five times what a cold start is worth, each idle time costs at most six times what it would have cost to
 * know the future, loads ahead aside, whatever the hazards said: the ski rental argument.
 */
export function boundHot(plan: Plan, least: number, most: number): Plan {
  const bounded: Step[] = [];
  let hot = 0;
  let since: number | undefined = 0;
  for (const step of keepAtFirst(plan, least)) {
    if (since !== undefined) {
      const left = most - hot;
      if (step.after - since > left) return [...bounded, { after: since + left, state: 'cold' }];
      hot += step.after - since;
    }
    since = step.state === 'hot' ? step.after : undefined;
    bounded.push(step);
  }
  return since === undefined ? bounded : [...bounded, { after: since + most - hot, state: 'cold' }];
}

function keepAtFirst(plan: Plan, least: number): Plan {
  if (plan.length === 0 || plan[0]!.after >= least) return plan;
  const later = plan.filter(({ after }) => after > least);
  const state = stateAfter(plan, least);
  return state === 'hot' ? later : [{ after: least, state }, ...later];
}

/** The plan, but each load from cold begins so many ms earlier: what would hardly be gone by then stays. */
export function startEarlier(plan: Plan, startMs = 0): Plan {
  const early: Step[] = [];
  for (const { after, state } of plan) {
    const last = early.at(-1);
    const isLoad = state === 'hot' && last?.state === 'cold';
    const from = isLoad ? Math.max(last.after, after - startMs) : after;
    if (from === last?.after) early.pop();
    if (state !== (early.at(-1)?.state ?? 'hot')) early.push({ after: from, state });
  }
  return early;
}
