import { type Plan, stateAfter, type Temperature } from '#policies/keepalive/plan.ts';

/** The plans of all idle models, step by step in the order of time. */
export interface Plans {
  /** A model is idle since `now`. */
  begin(model: number, plan: Plan, now: number): void;
  /** It is in use. */
  end(model: number): void;
  /** Takes the steps that are due before `now`: who comes in the moment of a step finds what was there before it. */
  passTime(now: number): void;
  /** Other plans for those that are idle; undefined: the plan stays. */
  revise(planOf: (model: number) => Plan | undefined, now: number): void;
}

/** `follow`: the plan of a model has come to another state. */
export function createPlans(
  models: number,
  follow: (model: number, state: Temperature, now: number) => void,
): Plans {
  const idle = new Map<number, { readonly since: number; plan: Plan; step: number }>();
  /** When the next step of each is due. */
  const nextAt = new Float64Array(models).fill(Infinity);
  let soonest = Infinity;

  function schedule(model: number): void {
    const { since, plan, step } = idle.get(model)!;
    nextAt[model] = since + (plan[step]?.after ?? Infinity);
    soonest = Math.min(soonest, nextAt[model]);
  }

  function take(model: number, now: number): void {
    const one = idle.get(model)!;
    const { state } = one.plan[one.step++]!;
    schedule(model);
    follow(model, state, now);
  }

  function findSoonest(): number {
    let found = 0;
    nextAt.forEach((at, model) => {
      if (at < nextAt[found]!) found = model;
    });
    soonest = nextAt[found]!;
    return found;
  }

  return {
    begin(model, plan, now) {
      idle.set(model, { since: now, plan, step: 0 });
      if (plan[0]?.after === 0) take(model, now);
      else schedule(model);
    },
    end(model) {
      idle.delete(model);
      nextAt[model] = Infinity;
    },
    passTime(now) {
      while (soonest < now) {
        const model = findSoonest();
        if (soonest < now) take(model, soonest);
      }
    },
    revise(planOf, now) {
      for (const [model, one] of idle) {
        const plan = planOf(model);
        if (!plan) continue;
        const passed = now - one.since;
        const [before, state] = [stateAfter(one.plan, passed), stateAfter(plan, passed)];
        one.plan = plan;
        one.step = plan.filter(({ after }) => after <= passed).length;
        schedule(model);
        if (state !== before) follow(model, state, now);
      }
    },
  };
}
