import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Holder } from '#policies/placement/holders.ts';
import { decidePlacement } from '#policies/placement/place.ts';
import { decideRelief } from '#policies/placement/relief.ts';
import type { Victim } from '#policies/placement/victims.ts';
import type { Active } from './active.ts';
import type { Budget } from '../budget.ts';
import { createHoldings } from './holding.ts';
import type { Dozing } from '../data-planes/dozing.ts';
import type { Journal } from '../records/journal.ts';
import type { KeepAlive } from '../keepalive/keep-alive.ts';
import type { LoadBook } from '../load.ts';
import { createMemoryLine } from './memory-line.ts';
import { makeWaitingEvent } from './scale-events.ts';
import type { Standby } from './standby.ts';

/**
 * How many of the desired instances the memory has room for. Whoever gets less waits in line (`memory-line.ts`), and
 * asks again each time that an instance ends, that what was woken has been served, or that a turn may be over. Whoever
 * gives way while it is in use is at the end of the line.
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
   * Looks at who holds what at most once during `work`, which decides on many: looking means walking over all
   * that are active, and when memory is short each of many would do it.
   */
  together(work: () => void): void;
  /** Has some go when what runs was measured to take more than there is. */
  relieve(): void;
  drop(one: Active): void;
  /** Now and then: what nobody waits for, others may have. */
  rest(): void;
  close(): void;
}

export function createGrants(options: {
  active: ReadonlyMap<string, Active>;
  budget: Budget;
  standby: Pick<Standby, 'bytes' | 'giveUp' | 'offer'>;
  runtime: Pick<Runtime, 'instances'>;
  dozing: Pick<Dozing, 'has'>;
  loads: LoadBook;
  journal: Journal;
  keepAlive: Pick<KeepAlive, 'worth'>;
  clock: Clock;
  /** It has been told to go. */
  onEvicted: (one: Active) => void;
  /** It has begun to wait, or waits no more. */
  onWaiting: (one: Active) => void;
  /** Those who wait are to ask again. */
  onAgain: () => void;
  /** Not even one instance fits into the whole budget. */
  onImpossible: (revision: string, why: string) => void;
}): Grants {
  const { active, budget, standby, journal, clock, onAgain } = options;
  const holdings = createHoldings(options);
  const line = createMemoryLine((facts) => budget.bytesEach(facts));
  const timers = new Timers(clock);
  let againAt = Infinity;
  let sharing = false;
  let shared: Map<Active, Holder> | undefined;

  function findHolders(): Map<Active, Holder> {
    const found = new Map<Active, Holder>();
    for (const one of active.values()) {
      const holder = holdings.holder(one, clock.now());
      if (holder) found.set(one, holder);
    }
    return found;
  }

  function holders(asking?: Active): Holder[] {
    const found = shared ?? findHolders();
    if (sharing) shared = found;
    // What it holds itself is in its claim, but for what is on its way out.
    return Array.from(found, ([one, holder]) =>
      one === asking ? { ...holder, bytes: 0 } : holder,
    );
  }

  function hold(one: Active): void {
    const holding = holdings.of(one);
    const isLeaving = holding.draining + holding.parking > 0;
    if (!isLeaving && one.evicted === undefined) one.gaveWayAt = undefined;
    budget.hold(one.key, holding);
  }

  function ask(one: Active, more: number): string | undefined {
    const now = clock.now();
    const standing = standby.bytes();
    const seen = {
      budget: budget.total,
      // What is woken first is then counted as what it may grow to.
      used: budget.used() - holdings.parkedBytes(one, more) + standing,
      standby: standing,
      asker: line.claimOf(one, more, now),
      before: line.before(one, now),
    };
    const alone =
      seen.before.length === 0 ? decidePlacement({ ...seen, holders: [] }, now) : undefined;
    const fits = alone?.decision.grant === more ? alone : undefined;
    const { decision, why } = fits ?? decidePlacement({ ...seen, holders: holders(one) }, now);
    if (decision.endStandby) standby.giveUp();
    one.granted += decision.grant;
    hold(one);
    evict(decision.evict, now);
    if (!decision.possible) options.onImpossible(one.key, why);
    if (decision.again !== undefined) askAgain(decision.again);
    return decision.grant < more ? why : undefined;
  }

  function evict(victims: readonly Victim[], now: number): void {
    const chosen = victims.flatMap(({ revision, why }) => {
      const victim = active.get(revision);
      if (!victim) return [];
      victim.evicted = why;
      victim.gaveWayAt = now;
      leave(victim);
      return victim;
    });
    for (const victim of chosen) {
      options.onEvicted(victim);
      const holder = holdings.holder(victim, now);
      if (holder) shared?.set(victim, holder);
      else shared?.delete(victim);
    }
  }

  function leave(one: Active): void {
    if (line.leave(one)) options.onWaiting(one);
  }

  function join(one: Active, missing: number, shortage: string): void {
    const now = clock.now();
    if (!line.join(one, missing, now)) return;
    options.onWaiting(one);
    journal.note(makeWaitingEvent(one.key, shortage, now));
  }

  /** Once, at the soonest of those that were told. */
  function askAgain(at: number): void {
    if (at >= againAt) return;
    againAt = at;
    timers.after(Math.max(0, at - clock.now()), () => {
      if (againAt !== at) return;
      againAt = Infinity;
      onAgain();
    });
  }

  return {
    take(one, desired) {
      const more = desired - one.granted;
      one.granted = Math.min(one.granted, desired);
      hold(one);
      const shortage = more > 0 ? ask(one, more) : undefined;
      if (shortage === undefined) leave(one);
      else join(one, desired - one.granted, shortage);
      return shortage;
    },
    hold,
    shortage(one) {
      if (line.size > 0) return 'others wait for memory';
      const free = budget.free() - standby.bytes() + holdings.parkedBytes(one, 1);
      return free < budget.bytesEach(one.facts) ? 'no memory is free for it' : undefined;
    },
    idleBytes: (one) => holdings.idleBytes(one),
    waiting: () => line.inOrder(),
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
    relieve() {
      const standing = standby.bytes();
      const used = budget.used() + standing;
      if (used <= budget.total) return;
      const seen = { budget: budget.total, used, standby: standing, holders: holders() };
      const { decision } = decideRelief(seen, clock.now());
      if (decision.endStandby) standby.giveUp();
      evict(decision.evict, clock.now());
    },
    drop(one) {
      line.leave(one);
      budget.drop(one.key);
    },
    rest() {
      if (line.size === 0) standby.offer(budget.free());
    },
    close: () => timers.close(),
  };
}
