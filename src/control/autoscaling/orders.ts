import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Desired } from '#policies/desired.ts';
import type { Runtime, Wanted } from '#runtime/runtime.ts';
import type { Active } from './active.ts';
import type { Seen } from './seen.ts';

/**
 * Orders to the runtime.
 *
 * 1. Nothing else calls `runtime.want`.
 * 2. An order that is the same as the last is not given, unless the last was not taken.
 */
export interface Orders {
  /** As many as were granted, within what was decided. */
  give(one: Active, decision: Desired, seen: Pick<Seen, 'parked'>): void;
  /** The last order again, with another instance in the place of this one. */
  replace(one: Active, instance: string): void;
}

/** Each holds three descriptors of the runtime, and its memory for who may never come back. */
const MAX_PARKED = 256;

export function createOrders({ runtime, log }: { runtime: Runtime; log: Log }): Orders {
  /** Looking at all that is parked is only for the moment in which it becomes more. */
  function parkable(wanted: number, now: number): number {
    if (wanted <= now || !runtime.capabilities.parks) return wanted;
    const all = runtime.instances().filter(({ state }) => state === 'parked').length;
    return Math.min(wanted, Math.max(0, MAX_PARKED - all) + now);
  }

  function order(one: Active, wanted: Wanted): void {
    one.ordered = wanted;
    runtime.want(one.facts.workload, wanted).catch((error: unknown) => {
      // The next tick gives the order again.
      if (one.ordered === wanted) one.ordered = undefined;
      log.error({ revision: one.key, error: messageOf(error) }, 'an order was not taken');
    });
  }

  return {
    give(one, { min, max, parked: wishes }, seen) {
      const parked = parkable(wishes, seen.parked);
      const desired = one.granted;
      const wanted: Wanted = {
        min: Math.min(min, desired),
        max,
        desired,
        ...(!runtime.capabilities.exactCount && { target: one.facts.scaling.target }),
        ...(parked > 0 && { parked }),
        ...(one.evicted !== undefined && { patient: true as const }),
      };
      if (!one.ordered || !isSame(one.ordered, wanted)) order(one, wanted);
    },
    replace(one, instance) {
      if (one.ordered) order(one, { ...one.ordered, replace: [instance] });
    },
  };
}

/** Those to replace are of one order only. */
function isSame(before: Wanted, wanted: Wanted): boolean {
  const { min, max, desired, target, parked } = wanted;
  const isBounded = before.min === min && before.max === max && before.desired === desired;
  return isBounded && before.target === target && before.parked === parked;
}
