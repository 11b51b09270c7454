import type { Instance, Runtime } from '#runtime/runtime.ts';
import type { Holder } from '#policies/placement/holders.ts';
import { type Active, floorsOf } from './active.ts';
import type { Budget, Holding } from '../budget.ts';
import type { KeepAlive } from '../keepalive/keep-alive.ts';
import type { LoadBook } from '../load.ts';
import type { Dozing } from '../data-planes/dozing.ts';
import { isBusy } from './seen.ts';

/** What revisions hold of the memory: as the budget counts it, and as placement sees it. */
export interface Holdings {
  of(one: Active): Holding;
  /** Undefined: it holds nothing. */
  holder(one: Active, now: number): Holder | undefined;
  /** What it holds while nobody uses it and no floor keeps it. */
  idleBytes(one: Active): number;
  /** What the parked ones take, or the `last` of them. One that dozes or was not measured yet counts in full. */
  parkedBytes(one: Active, last?: number): number;
}

export function createHoldings(options: {
  budget: Pick<Budget, 'bytesEach'>;
  runtime: Pick<Runtime, 'instances'>;
  dozing: Pick<Dozing, 'has'>;
  loads: Pick<LoadBook, 'totals'>;
  keepAlive: Pick<KeepAlive, 'worth'>;
}): Holdings {
  const { budget, runtime, dozing, loads, keepAlive } = options;

  function isFull({ id, measuredAt }: Instance): boolean {
    return measuredAt === undefined || dozing.has(id);
  }

  function parkedBytes(one: Active, last = Infinity): number {
    const full = budget.bytesEach(one.facts);
    const parked = inStates(runtime.instances(one.key), 'parked').slice(-last);
    return parked.reduce((sum, each) => sum + (isFull(each) ? full : each.memoryBytes), 0);
  }

  function of(one: Active): Holding {
    const instances = runtime.instances(one.key);
    return {
      bytesEach: budget.bytesEach(one.facts),
      granted: one.granted,
      running: inStates(instances, 'starting', 'ready').length,
      draining: inStates(instances, 'draining').length,
      parking: inStates(instances, 'parking').length,
      parkedBytes: parkedBytes(one),
    };
  }

  function stateOf(one: Active): Holder['state'] {
    if (floorsOf(one).length > 0) return 'pinned';
    if (isBusy(loads.totals(one.key))) return 'inUse';
    return one.granted > 0 ? 'idle' : 'parked';
  }

  return {
    of,
    parkedBytes,
    idleBytes(one) {
      const state = stateOf(one);
      if (state !== 'idle' && state !== 'parked') return 0;
      return one.granted * budget.bytesEach(one.facts) + parkedBytes(one);
    },
    holder(one, now) {
      const { bytesEach, granted, draining, parking, parkedBytes: frozen } = of(one);
      const bytes = one.evicted ? 0 : bytesEach * (granted + parking) + frozen;
      if (bytes === 0 && draining === 0) return undefined;
      const state = stateOf(one);
      const worth = state === 'idle' || state === 'parked' ? keepAlive.worth(one.key) : undefined;
      return {
        revision: one.key,
        bytes,
        state,
        idleSince: one.lastRequestAt ?? 0,
        ...turnOf(runtime.instances(one.key)),
        ...(worth !== undefined && { worth }),
        ...(draining > 0 && {
          leaving: { bytes: bytesEach * draining, since: one.gaveWayAt ?? now },
        }),
      };
    },
  };
}

function inStates(
  instances: readonly Instance[],
  ...states: readonly Instance['state'][]
): readonly Instance[] {
  return instances.filter(({ state }) => states.includes(state));
}

/** Of the newest that is ready. What starts has yet to begin; where nothing does, as after a failure, it is over. */
function turnOf(instances: readonly Instance[]): Pick<Holder, 'readyAt' | 'startMs'> {
  if (inStates(instances, 'starting').length > 0) return {};
  const ready = inStates(instances, 'ready');
  const newest = ready.toSorted((a, b) => b.readyAt - a.readyAt)[0];
  if (!newest) return { readyAt: 0, startMs: 0 };
  return { readyAt: newest.readyAt, startMs: newest.readyAt - newest.askedAt };
}
