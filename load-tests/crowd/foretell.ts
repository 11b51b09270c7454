import { decideIdleBudget, makeIdleBudget } from '#policies/keepalive/idle-budget.ts';
import { createAdaptiveEvictor, createOnline } from '#simulate/adaptive.ts';
import { createFixed } from '#simulate/planners.ts';
import type { Planner } from '#simulate/replay.ts';
import { replayCapped } from '#simulate/replay-capped.ts';
import { createTraceBuilder, type Trace } from '#simulate/trace.ts';
import { cutWindow } from './window.ts';

const SECOND_MS = 1000;

/** Cold starts from `from` until `to` as the simulator has them: starts and requests take no time there. */
export interface Foretold {
  readonly adaptive: number;
  readonly fixed: number;
}

/** `places`: for so many models there is memory. `idle`: how long the fixed time keeps each, ms. */
export function foretell(options: {
  models: readonly (readonly number[])[];
  places: number;
  from: number;
  to: number;
  coldSeconds: number;
  idle: number;
}): Foretold {
  const { models, places, from, to, coldSeconds, idle } = options;
  const budget = decideIdleBudget(places, makeIdleBudget(0));

  function countCold(create: (trace: Trace) => Planner): number {
    const [before, all] = [from, to].map((end) => {
      const trace = makeTrace(models, end, coldSeconds);
      return replayCapped(trace, createAdaptiveEvictor(trace), places, create(trace)).whole.cold;
    });
    return all! - before!;
  }

  return {
    adaptive: countCold((trace) => createOnline(trace, budget)),
    fixed: countCold(() => createFixed('fixed', idle)),
  };
}

function makeTrace(models: readonly (readonly number[])[], to: number, coldCost: number): Trace {
  const builder = createTraceBuilder();
  for (const { model, at } of cutWindow(models, 0, to)) builder.add(model, at, at);
  const all = models.map((_, model) => ({ name: String(model), memory: 1, coldCost }));
  return builder.finish(all, SECOND_MS, { from: 0, to });
}
