import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Planned } from '#policies/keepalive.ts';
import type { AdaptiveSeen } from '#policies/keepalive/adaptive.ts';
import { binOf } from '#policies/keepalive/bins.ts';
import { makeFixedPlan } from '#policies/keepalive/fixed.ts';
import { beginIdle, skipSurvival } from '#policies/keepalive/hazard.ts';
import type { History } from '#policies/keepalive/history.ts';
import {
  beginIdleTime,
  endIdleTime,
  followPrice,
  makeOnlineModel,
  type OnlineFleet,
  type OnlineModel,
  passTime,
  priceOf,
  resumeIdleTime,
} from '#policies/keepalive/online.ts';
import { areAlike, isAhead, nextStep, type Plan, stateAfter } from '#policies/keepalive/plan.ts';
import { fillWorth } from '#policies/keepalive/worth.ts';
import type { RevisionFacts } from '../records/facts.ts';
import { createCalendar } from '../calendar.ts';

/**
 * What becomes of revisions that nobody uses: learns from their requests, and plans when each becomes idle.
 *
 * 1. An entry is in use, or idle since `history.idleSince`: since its last request, once none came for `SETTLE_MS`.
 * 2. Whoever is idle is in the calendar: for the end of the bin of idle time that it is in, or the next step of its
 *    plan if that is sooner. After a day it is in no bin, has no plan, and costs nothing.
 * 3. Of all revisions is learned; those that are adaptive, and that no floor holds, are planned for.
 */
export interface KeepAliveBook {
  /** Requests of it wait or run, or have come just now. */
  used(facts: RevisionFacts): void;
  /** It runs, and control has just come back: as if it was just used, if nothing is known of it. */
  adopt(revision: string): void;
  /** What becomes of an adaptive one now; undefined: no request has come for it. */
  planned(facts: RevisionFacts): Planned | undefined;
  /**
   * The price of memory at which it is just worth keeping, in seconds of cold start for a byte × ms; undefined: nothing
   * is known of it.
   */
  worth(revision: string): number | undefined;
  forget(revision: string): void;
  /** What was learned of it before control began, until `savedAt`. */
  restore(revision: string, history: History, savedAt: number): void;
  /** Requests came for it around this time, which is past: what was learned after `savedAt` and lost. */
  replay(revision: string, at: number): void;
  /** Histories that have changed since it was asked last; undefined: forgotten. */
  takeChanged(): ReadonlyMap<string, History | undefined>;
  putBack(changed: ReadonlyMap<string, History | undefined>): void;
  close(): void;
}

interface Entry {
  readonly key: string;
  readonly model: OnlineModel;
  /** As of its last use; undefined: look them up. */
  facts: RevisionFacts | undefined;
  seen: AdaptiveSeen;
  usedAt: number;
  why: string;
  /** The plan that was told last. */
  told: Plan | undefined;
  /** By bin of its present idle time. */
  readonly worths: Float32Array;
}

const TICK_MS = 1000;
/** Data planes report each second: what is shorter than two reports is no idle time. */
const SETTLE_MS = 2000;
/** Stored traffic is known to the minute: in use in two minutes, one after the other, is in use all the time. */
const REPLAYED_GAP_MS = 2 * 60_000;
/** So many are looked at in one tick: bounds how long it takes when very many become due at once. */
const MOST_AT_ONCE = 200;
/** A share of memory that is so far from what was planned with is worth another plan. */
const SHARE_MOVED = 0.1;
/** A plan is told of those that idle for longer: most idle times are shorter, and nothing becomes of them. */
const TELL_MS = 60_000;
/** What takes no memory here is kept for that long, so that not each request is a start. */
const FOR_NOTHING = makeFixedPlan({ idle: 60_000 });
const IN_USE: Planned = { state: 'hot', ahead: false, why: 'just used' };
const LONG_IDLE: Planned = { state: 'cold', ahead: false, why: 'idle for more than a day' };
const UNKNOWN: AdaptiveSeen = { memory: 0, coldCost: 1 };

export function createKeepAliveBook(options: {
  clock: Clock;
  all: OnlineFleet;
  /** Undefined: there is no such revision. */
  factsOf: (revision: string) => RevisionFacts | undefined;
  seenOf: (facts: RevisionFacts) => AdaptiveSeen;
  /** What may be loaded and idle on average. */
  idleBudget: () => number;
  isLoaded: (revision: string) => boolean;
  /** What keeps it, whatever would be planned, in a word; undefined: nothing. */
  heldBy: (facts: RevisionFacts) => string | undefined;
  /** It is to be loaded ahead of a request. */
  onAhead: (revision: string) => void;
  /** It has idled for a while under a plan that was not told yet. */
  onPlanned: (revision: string, why: string, plan: Plan) => void;
}): KeepAliveBook {
  const { clock, all, factsOf, seenOf, idleBudget, isLoaded, heldBy } = options;
  const { bins } = all.fleet;
  const entries = new Map<string, Entry>();
  const calendar = createCalendar<Entry>(clock.now());
  let changed = new Set<string>();
  const timers = new Timers(clock);
  timers.every(TICK_MS, tick);

  function isPlanned(facts: RevisionFacts): boolean {
    return facts.keepAlive.policy === 'adaptive' && heldBy(facts) === undefined;
  }

  function ensure(key: string, now: number): Entry {
    return entries.get(key) ?? add(key, makeOnlineModel(all, now), now);
  }

  function add(key: string, model: OnlineModel, now: number): Entry {
    const entry: Entry = {
      key,
      model,
      facts: undefined,
      seen: UNKNOWN,
      usedAt: now,
      why: '',
      told: undefined,
      worths: new Float32Array(bins.count),
    };
    entries.set(key, entry);
    calendar.set(entry, now + SETTLE_MS);
    return entry;
  }

  function tick(): void {
    const now = clock.now();
    for (const entry of calendar.take(now, MOST_AT_ONCE)) look(entry, now);
  }

  function endIdle(entry: Entry, now: number): void {
    endIdleTime(all, entry.model, entry.seen, now);
    changed.add(entry.key);
    calendar.set(entry, now + SETTLE_MS);
  }

  function look(entry: Entry, now: number): void {
    const settled = entry.usedAt + SETTLE_MS;
    if (isInUse(entry) && now < settled) return calendar.set(entry, settled);
    const facts = entry.facts ?? factsOf(entry.key);
    if (!facts) return forget(entry.key);
    if (isInUse(entry)) begin(entry, facts);
    else follow(entry, facts, now);
    turn(entry, now);
  }

  /** It became idle when it was used last. */
  function begin(entry: Entry, facts: RevisionFacts): void {
    const { model, usedAt } = entry;
    entry.facts = undefined;
    entry.seen = seenOf(facts);
    changed.add(entry.key);
    if (isPlanned(facts) && entry.seen.memory > 0) {
      entry.why = beginIdleTime(all, model, entry.seen, idleBudget(), usedAt).why;
    } else {
      beginIdle(all.fleet, model.history, usedAt);
      if (isPlanned(facts)) planForNothing(entry);
    }
    fillWorths(entry);
  }

  function planForNothing(entry: Entry): void {
    entry.model.plan = FOR_NOTHING;
    entry.why = 'it takes no memory here';
  }

  function follow(entry: Entry, facts: RevisionFacts, now: number): void {
    const { model, key } = entry;
    passTime(all, model, entry.seen, now);
    if (!isPlanned(facts)) return release(entry);
    if (isOver(entry, now)) return;
    const idle = now - model.history.idleSince;
    if (!model.plan) {
      return resume(entry, facts, isLoaded(key) ? [] : [{ after: idle, state: 'cold' }], now);
    }
    if (entry.seen.memory === 0) return;
    if (stateAfter(model.plan, idle) === 'parked') learnParked(entry, seenOf(facts));
    const revised = followPrice(all, model, entry.seen, priceOf(all, idleBudget(), now), now);
    if (!revised) return;
    entry.why = revised.why;
    fillWorths(entry);
  }

  /** What parking gives back is known once it is parked: when it is other than thought, there is another plan. */
  function learnParked(entry: Entry, seen: AdaptiveSeen): void {
    const before = entry.seen.parked?.share ?? 1;
    if (Math.abs((seen.parked?.share ?? 1) - before) < SHARE_MOVED) return;
    entry.seen = seen;
    entry.model.price = Number.NaN;
  }

  /** It was idle before control was there, or before it was planned for. */
  function resume(entry: Entry, facts: RevisionFacts, before: Plan, now: number): void {
    entry.seen = seenOf(facts);
    if (entry.seen.memory === 0) return planForNothing(entry);
    entry.why = resumeIdleTime(all, entry.model, entry.seen, idleBudget(), before, now).why;
    fillWorths(entry);
  }

  function fillWorths({ worths }: Entry): void {
    fillWorth(bins, all.fleet.hazards, all.fleet.reached, worths);
  }

  /** What it comes to now, and when to look again. */
  function turn(entry: Entry, now: number): void {
    const { model, key } = entry;
    const idle = now - model.history.idleSince;
    if (model.plan && isAhead(model.plan, idle)) options.onAhead(key);
    if (model.plan && idle >= TELL_MS) tell(entry, model.plan);
    if (isOver(entry, now)) return release(entry);
    const end = bins.to[binOf(bins, idle)]!;
    // Survived is what is longer than the bin.
    const next = Math.min(end + 1, (model.plan && nextStep(model.plan, idle)) ?? end + 1);
    calendar.set(entry, Math.max(now, model.history.idleSince + next));
  }

  /** Nothing is planned for it any more, nor counted. */
  function release({ model }: Entry): void {
    model.plan = undefined;
    model.shadows = [];
  }

  function tell(entry: Entry, plan: Plan): void {
    if (entry.told && areAlike(entry.told, plan)) return;
    entry.told = plan;
    options.onPlanned(entry.key, entry.why, plan);
  }

  function isOver({ model }: Entry, now: number): boolean {
    return now - model.history.idleSince > bins.to.at(-1)!;
  }

  function forget(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    entries.delete(key);
    calendar.delete(entry);
    changed.add(key);
  }

  return {
    used(facts) {
      const now = clock.now();
      const isNew = !entries.has(facts.key);
      const entry = ensure(facts.key, now);
      entry.facts = facts;
      entry.usedAt = now;
      if (!isNew && isInUse(entry)) return;
      endIdle(entry, now);
    },
    adopt: (revision) => void ensure(revision, clock.now()),
    planned(facts) {
      const now = clock.now();
      const entry = entries.get(facts.key);
      if (!entry) return undefined;
      if (isInUse(entry)) return IN_USE;
      const by = heldBy(facts);
      if (by !== undefined) return { state: 'hot', ahead: false, why: `${by} holds it` };
      if (isOver(entry, now)) return LONG_IDLE;
      const { model } = entry;
      if (!model.plan) resume(entry, facts, [], now);
      const plan = model.plan ?? [];
      const idle = now - model.history.idleSince;
      return { state: stateAfter(plan, idle), ahead: isAhead(plan, idle), why: entry.why };
    },
    worth(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      // Just used, or for nothing.
      if (isInUse(entry) || entry.seen.memory === 0) return Infinity;
      const { seen, model, worths } = entry;
      const bin = Math.min(binOf(bins, clock.now() - model.history.idleSince), bins.count - 1);
      return (worths[bin]! * seen.coldCost) / seen.memory;
    },
    forget,
    restore(key, history, savedAt) {
      const now = clock.now();
      // A clock that was set back meanwhile.
      if (history.idleSince > now) history.idleSince = now;
      history.countedAt = Math.min(history.countedAt, now);
      skipSurvival(all.fleet, history, savedAt);
      const entry = add(key, { ...makeOnlineModel(all, now), history }, now);
      entry.usedAt = Math.min(savedAt, now);
      if (isOver(entry, now)) calendar.delete(entry);
    },
    replay(key, at) {
      const isNew = !entries.has(key);
      const entry = ensure(key, at);
      const { history } = entry.model;
      if (!isNew && isInUse(entry)) {
        const isGap = at - entry.usedAt >= REPLAYED_GAP_MS;
        if (isGap) beginIdle(all.fleet, history, entry.usedAt);
        entry.usedAt = Math.max(entry.usedAt, at);
        if (!isGap) return;
      }
      if (!isNew && at <= history.idleSince) return;
      endIdle(entry, at);
      entry.usedAt = at;
    },
    takeChanged() {
      const taken = changed;
      changed = new Set();
      return new Map(Array.from(taken, (key) => [key, entries.get(key)?.model.history]));
    },
    putBack(lost) {
      for (const key of lost.keys()) changed.add(key);
    },
    close: () => timers.close(),
  };
}

function isInUse({ model }: Entry): boolean {
  return Number.isNaN(model.history.idleSince);
}
