import { walk } from './walk.ts';
import type { Trace } from './trace.ts';

/**
 * The fewest cold starts that keeping alone can have for an idle memory × time, if the future is known: the gaps
 * that cost least for what they save are kept, until the budget is spent. It loads nothing ahead of a request: a
 * policy that does may need less memory on a trace full of timers.
 */
export function createFrontier(trace: Trace): (idleMemory: number) => number {
  // There may be as many gaps as arrivals.
  const costs = new Float64Array(trace.at.length);
  const values = new Float64Array(trace.at.length);
  let gaps = 0;
  let first = 0;
  walk(trace, {
    tick() {},
    arrive(model, idleSince, now, isBusy) {
      if (idleSince === undefined) first++;
      else if (!isBusy) {
        const { memory, coldCost } = trace.models[model]!;
        costs[gaps] = memory * (now - idleSince);
        values[gaps] = coldCost;
        gaps++;
      }
    },
    idle() {},
    end() {},
  });
  const order = Uint32Array.from({ length: gaps }, (_, gap) => gap).sort(
    (a, b) => costs[a]! / values[a]! - costs[b]! / values[b]!,
  );
  const spent = new Float64Array(order.length);
  order.forEach((gap, index) => (spent[index] = (spent[index - 1] ?? 0) + costs[gap]!));
  return (idleMemory) => {
    const kept = spent.findIndex((sum) => sum > idleMemory);
    return first + (kept < 0 ? 0 : spent.length - kept);
  };
}
