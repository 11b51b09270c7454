import type { Clock } from '#lib/clock.ts';
import type { RuntimeEvent } from '../../runtime.ts';

/** When work that nobody waits for may be done: starts of instances have the processor for themselves. */
export interface Quiet {
  /** True: there may be another answer now. */
  onEvent(event: RuntimeEvent): boolean;
  /** From then on, unless something starts meanwhile. */
  since(): number;
}

/** The request that waited for a start has the processor for itself first. */
const QUIET_MS = 100;
/** One instance that loads for minutes does not keep all others from what stands by. */
const PATIENCE_MS = 5000;

export function createQuiet(clock: Clock): Quiet {
  /** Instances that start, with the time since when. */
  const starting = new Map<string, number>();
  let lastStart = -QUIET_MS;

  return {
    onEvent({ type, instance: { id, state } }) {
      if (type === 'instance' && state === 'starting') {
        if (starting.has(id)) return false;
        starting.set(id, clock.now());
        return true;
      }
      if (!starting.delete(id)) return false;
      if (starting.size === 0) lastStart = clock.now();
      return true;
    },
    since() {
      const [oldest] = starting.values();
      return oldest === undefined ? lastStart + QUIET_MS : oldest + PATIENCE_MS;
    },
  };
}
