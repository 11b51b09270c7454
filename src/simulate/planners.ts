import { makeFixedPlan } from '#policies/keepalive/fixed.ts';
import { makeHybridPlan, learnHybrid, makeHybridMemory } from '#policies/keepalive/hybrid.ts';
import type { Planner } from './replay.ts';
import type { Trace } from './trace.ts';

/** Kept for a fixed time. */
export function createFixed(name: string, idle: number): Planner {
  const plans = [makeFixedPlan({ idle })];
  return { variants: [name], plan: () => plans };
}

export function createHybrid(trace: Trace): Planner {
  const memory = trace.models.map(makeHybridMemory);
  return {
    variants: ['hybrid'],
    arrive(model, idle) {
      if (idle !== undefined) memory[model] = learnHybrid(memory[model]!, idle);
    },
    plan: (model) => [makeHybridPlan(memory[model]!)],
  };
}
