import { greedyDualWorth } from '#policies/keepalive/eviction.ts';
import type { Evictor } from './replay-capped.ts';
import type { Trace } from './trace.ts';

export function createLru(trace: Trace): Evictor {
  const usedAt = new Float64Array(trace.models.length);
  return {
    name: 'lru',
    arrive: (model, _, now) => void (usedAt[model] = now),
    worth: (model) => usedAt[model]!,
  };
}

export function createGreedyDual(trace: Trace): Evictor {
  const worth = new Float64Array(trace.models.length);
  const frequency = new Uint32Array(trace.models.length);
  let clock = 0;
  return {
    name: 'greedy-dual',
    arrive(model) {
      const { memory, coldCost: cost } = trace.models[model]!;
      frequency[model]! += 1;
      worth[model] = greedyDualWorth(clock, { frequency: frequency[model]!, cost, memory });
    },
    worth: (model) => worth[model]!,
    evicted(model, last) {
      clock = Math.max(clock, last);
      frequency[model] = 0;
    },
  };
}
