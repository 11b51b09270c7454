import { decideFixed } from '#policies/keepalive/fixed.ts';
import { decideHybrid, learnHybrid, makeHybridMemory } from '#policies/keepalive/hybrid.ts';
import type { Planner } from './replay.ts';
import type { Trace } from './trace.ts';

/** Kept for a fixed time. */
export function createFixed(name: string, idle: number): Planner {
  const plans = [decideFixed({ idle })];
  return { variants: [name], plan: () => plans };
}

export function createHybrid(trace: Trace): Planner {
  const memory = trace.models.map(makeHybridMemory);
  return {
    variants: ['hybrid'],
    arrive(model, idle) {
      if (idle !== undefined) memory[model] = learnHybrid(memory[model]!, idle);
    },
    plan: (model) => [decideHybrid(memory[model]!)],
  };
}
