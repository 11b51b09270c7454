import { type Plan, stateAt, type Temperature } from '#policies/keepalive/plan.ts';
import { type Account, createAccount } from './account.ts';
import { walk } from './walk.ts';
import type { Trace } from './trace.ts';

/**
 * A policy that plans: when a model becomes idle it says what becomes of it while nobody comes. It may have
 * several variants that share what they learn, such as prices.
 */
export interface Planner {
  readonly variants: readonly string[];
  /** A minute has passed; nothing that comes at `now` is known yet. */
  tick?(now: number): void;
  /** `idle`: ms since its last request ended; undefined: its first. */
  arrive?(model: number, idle: number | undefined, now: number): void;
  /** One plan for each variant. */
  plan(model: number, now: number): readonly Plan[];
  /** Other plans for an idle model, the same as before until now; undefined: they stay. Asked each minute. */
  revise?(model: number, now: number): readonly Plan[] | undefined;
}

/** One account for each variant. One instance per model: the question is when it goes to zero and comes back. */
export function replay(trace: Trace, planner: Planner): readonly Account[] {
  const accounts = planner.variants.map(() => createAccount(trace));
  const plans: (readonly Plan[] | undefined)[] = trace.models.map(() => undefined);
  const isIdle = new Uint8Array(trace.models.length);

  function revise(now: number): void {
    if (!planner.revise) return;
    for (let model = 0; model < plans.length; model++) {
      if (isIdle[model] === 1) plans[model] = planner.revise(model, now) ?? plans[model];
    }
  }

  walk(trace, {
    tick(now) {
      planner.tick?.(now);
      revise(now);
    },
    arrive(model, idleSince, now, isBusy) {
      isIdle[model] = 0;
      const idle = now - (idleSince ?? now);
      accounts.forEach((account, variant) => {
        const plan = plans[model]?.[variant];
        if (plan && !isBusy) account.idle(model, plan, idleSince ?? now, now);
        account.arrive(model, now, isBusy ? 'hot' : foundBy(plan, idle));
      });
      if (!isBusy) planner.arrive?.(model, idleSince === undefined ? undefined : idle, now);
    },
    idle(model, now) {
      const planned = planner.plan(model, now);
      isIdle[model] = 1;
      plans[model] = planned;
      accounts.forEach((account, variant) => account.plan(planned[variant]!));
    },
    end(model, idleSince, now) {
      accounts.forEach((account, variant) => {
        const plan = plans[model]?.[variant];
        if (plan) account.idle(model, plan, idleSince, now);
      });
    },
  });
  return accounts;
}

/** What a request finds after so long; nothing was planned before the first. */
function foundBy(plan: Plan | undefined, idle: number): Temperature {
  return plan ? stateAt(plan, idle) : 'cold';
}
