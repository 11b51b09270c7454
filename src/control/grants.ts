import type { Clock } from '#lib/clock.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { IdleRevision } from '#policies/placement.ts';
import { type Active, floorsOf } from './active.ts';
import type { Budget } from './budget.ts';
import type { Journal } from './journal.ts';
import type { KeepAlive } from './keepalive/keep-alive.ts';
import type { LoadBook } from './load.ts';
import { makeWaitingEvent } from './scale-events.ts';
import { isBusy, parkedIn } from './seen.ts';
import type { Standby } from './standby.ts';

/**
 * How many of the desired instances the memory has room for. Whoever gets less waits, and is looked at again,
 * in the order of waiting, each time that an instance ends. A smaller one may be served before a larger one
 * that waits longer: room that nobody in the queue can use is not kept free.
 */
export interface Grants {
  /** Sets `one.granted`; says why when that is less than desired. */
  take(one: Active, desired: number): string | undefined;
  /** What runs of it already counts from now on. */
  hold(one: Active): void;
  /** Why one more instance has no room without another one going for it; undefined: it has. */
  shortage(one: Active): string | undefined;
  /** What it holds while nobody uses it and no floor keeps it. */
  idleBytes(one: Active): number;
  /** Those who wait, in order. */
  waiting(): readonly Active[];
  /**
   * Looks for idle revisions at most once during `work`, which decides on many: looking means walking over all
   * that are active, and when memory is short each of many would do it.
   */
  together(work: () => void): void;
  drop(one: Active): void;
  /** Now and then: what nobody waits for, others may have. */
  rest(): void;
}

export function createGrants(options: {
  active: ReadonlyMap<string, Active>;
  budget: Budget;
  standby: Pick<Standby, 'bytes' | 'giveUp' | 'offer'>;
  runtime: Runtime;
  loads: LoadBook;
  journal: Journal;
  keepAlive: Pick<KeepAlive, 'worth'>;
  clock: Clock;
  /** An idle revision has been told to go. */
  onEvicted: (one: Active) => void;
  /** Not even one instance fits into the whole budget. */
  onImpossible: (revision: string, why: string) => void;
}): Grants {
  const { active, budget, standby, runtime, loads, journal, keepAlive, clock } = options;
  const queue = new Set<Active>();
  let sharing = false;
  let shared: Active[] | undefined;

  function isIdle(one: Active): boolean {
    if (floorsOf(one).length > 0 || isBusy(loads.totals(one.key))) return false;
    return one.granted > 0 || parkedIn(runtime, one.key).length > 0;
  }

  /** What the parked ones take, or the `last` of them. One that was not measured yet counts in full. */
  function parkedBytes(one: Active, last = Infinity): number {
    const full = budget.bytesEach(one.facts);
    const parked = parkedIn(runtime, one.key).slice(-last);
    return parked.reduce(
      (sum, { measuredAt, memoryBytes }) => sum + (measuredAt === undefined ? full : memoryBytes),
      0,
    );
  }

  function idleBytes(one: Active): number {
    if (!isIdle(one)) return 0;
    return one.granted * budget.bytesEach(one.facts) + parkedBytes(one);
  }

  function shortage(one: Active): string | undefined {
    if (queue.size > 0) return 'others wait for memory';
    const free = budget.free() - standby.bytes() + parkedBytes(one, 1);
    return free < budget.bytesEach(one.facts) ? 'no memory is free for it' : undefined;
  }

  function findIdle(asking: Active): IdleRevision[] {
    const found = shared ?? Array.from(active.values()).filter(isIdle);
    if (sharing) shared = found;
    const idle: IdleRevision[] = [];
    for (const one of found) {
      // What was idle when it was looked for may have been sent away since.
      const bytes = one === asking ? 0 : idleBytes(one);
      if (bytes === 0) continue;
      const worth = keepAlive.worth(one.key);
      const about = { idleSince: one.lastRequestAt ?? 0, parked: one.granted === 0 };
      idle.push({ revision: one.key, bytes, ...about, ...(worth !== undefined && { worth }) });
    }
    return idle;
  }

  function hold(one: Active): void {
    budget.hold(one.key, {
      bytesEach: budget.bytesEach(one.facts),
      granted: one.granted,
      running: runtime.instances(one.key).length - parkedIn(runtime, one.key).length,
      parkedBytes: parkedBytes(one),
    });
  }

  function ask(one: Active, more: number): string | undefined {
    const claim = {
      bytesEach: budget.bytesEach(one.facts),
      more,
      // Woken first, and then counted as what they may grow to.
      ownBytes: parkedBytes(one, more),
      standbyBytes: standby.bytes(),
    };
    const { decision, why } = budget.ask(claim, () => findIdle(one));
    if (decision.endStandby) standby.giveUp();
    one.granted += decision.grant;
    hold(one);
    for (const key of decision.evict) {
      const victim = active.get(key);
      if (!victim) continue;
      victim.evictedFor = one.key;
      options.onEvicted(victim);
    }
    if (!decision.possible) options.onImpossible(one.key, why);
    return decision.grant < more ? why : undefined;
  }

  function enqueue(one: Active, shortage: string | undefined): void {
    if (shortage === undefined) {
      queue.delete(one);
      one.waitingSince = undefined;
      return;
    }
    queue.add(one);
    if (one.waitingSince !== undefined) return;
    one.waitingSince = clock.now();
    journal.note(makeWaitingEvent(one.key, shortage, clock.now()));
  }

  return {
    take(one, desired) {
      const more = desired - one.granted;
      one.granted = Math.min(one.granted, desired);
      hold(one);
      const shortage = more > 0 ? ask(one, more) : undefined;
      enqueue(one, shortage);
      return shortage;
    },
    hold,
    shortage,
    idleBytes,
    waiting: () => Array.from(queue),
    together(work) {
      if (sharing) return work();
      sharing = true;
      try {
        work();
      } finally {
        sharing = false;
        shared = undefined;
      }
    },
    drop(one) {
      queue.delete(one);
      budget.drop(one.key);
    },
    rest() {
      if (queue.size === 0) standby.offer(budget.free());
    },
  };
}
