import { modelOf, partsOfRevisionKey, revisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime, RuntimeEvent } from '#runtime/runtime.ts';
import type { Store } from '#store/store.ts';
import { type Bins, makeSecondBins } from '#policies/keepalive/bins.ts';
import { countTaken, decideIdleBudget, makeIdleBudget } from '#policies/keepalive/idle-budget.ts';
import { makeOnlineFleet } from '#policies/keepalive/online.ts';
import type { Plan } from '#policies/keepalive/plan.ts';
import type { PriceRange } from '#policies/keepalive/price.ts';
import type { Budget } from '../budget.ts';
import type { Catalog } from '../records/catalog.ts';
import { factsOfKey, type RevisionFacts } from '../records/facts.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import { createKeepAliveBook, type KeepAliveBook } from './book.ts';
import { createCosts } from './costs.ts';
import type { Schedules } from './schedules.ts';
import { createSaver, type Learned, loadLearned } from './state.ts';

/** Learned keep-alive: what the autoscaler asks, and what it has to be told. */
export interface KeepAlive extends Pick<
  KeepAliveBook,
  'used' | 'adopt' | 'planned' | 'worth' | 'forget'
> {
  onRuntime(event: RuntimeEvent): void;
  /** Saves what was learned. */
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Rows of stored traffic that are learned from again: bounds the time of a start to a second or two. */
const MOST_RECALLED = 20_000;
/**
 * Memory costs something although nobody else wants it now: a GiB for an hour as much as a second of cold start.
 * The least price; where memory has no bound, the price. At the dearest that is tried, 16 MiB for four seconds do.
 */
const PRICES: PriceRange = {
  cheapest: 1 / (2 ** 30 * 60 * MINUTE_MS),
  dearest: 1 / (2 ** 24 * 4000),
};

/** Resolves when all that was learned before is there again. */
export async function createKeepAlive(options: {
  clock: Clock;
  log: Log;
  store: Store;
  catalog: Catalog;
  runtime: Runtime;
  journal: Journal;
  budget: Budget;
  coldStartSeconds: (revision: string) => number;
  schedules: Pick<Schedules, 'floor'>;
  /** Memory of instances that nobody uses and that are kept by a plan. */
  idleBytes: () => number;
  onAhead: (revision: string) => void;
}): Promise<KeepAlive> {
  const { clock, catalog, runtime, journal, budget, idleBytes, schedules } = options;
  const bins = makeSecondBins();
  const exists = (revision: string): boolean => catalog.revision(revision) !== undefined;
  const learned = await loadLearned({
    ...options,
    bins,
    exists,
    make: () => makeLearned(bins, clock),
  });
  const { all, idle } = learned;
  const costs = createCosts(options);
  const timers = new Timers(clock);
  if (budget.total < Infinity) timers.every(MINUTE_MS, countTakenMemory);
  const book = createKeepAliveBook({
    ...options,
    all,
    factsOf: (revision) => factsOfKey(catalog, revision),
    seenOf: (facts) => costs.of(facts),
    idleBudget: () => decideIdleBudget(budget.total, idle),
    isLoaded: (revision) => runtime.instances(revision).length > 0,
    heldBy,
    onPlanned(revision, why, plan) {
      journal.note(makePlanEvent(revision, why, plan, clock.now()));
    },
  });
  await recall(book, learned, { ...options, exists });
  const saver = createSaver({ ...options, ...book, learned });

  function heldBy({ key, scaling, routed }: RevisionFacts): string | undefined {
    if (!routed) return undefined;
    if (scaling.min > 0) return 'scaling.min';
    return schedules.floor(modelOf(key)) && 'its schedule';
  }

  function countTakenMemory(): void {
    countTaken(idle, budget.used() - idleBytes(), clock.now());
  }

  return {
    ...book,
    onRuntime: (event) => costs.seen(event.instance, clock.now()),
    forget(revision) {
      costs.forget(revision);
      book.forget(revision);
    },
    async close() {
      timers.close();
      book.close();
      await saver.close();
    },
  };
}

function makeLearned(bins: Bins, clock: Clock): Pick<Learned, 'all' | 'idle'> {
  const now = clock.now();
  return { all: makeOnlineFleet(bins, PRICES, now), idle: makeIdleBudget(now) };
}

/** What was saved, and then the traffic that was stored since, or in the last day. */
async function recall(
  book: KeepAliveBook,
  { models, savedAt = 0 }: Learned,
  options: { store: Store; clock: Clock; log: Log; exists: (revision: string) => boolean },
): Promise<void> {
  const { store, clock, log, exists } = options;
  for (const [revision, history] of models) book.restore(revision, history, savedAt);
  const now = clock.now();
  const [from, to] = [Math.max(savedAt, now - DAY_MS), now].map((at) => Math.floor(at / MINUTE_MS));
  const rows = await store.usageLog({ from: from!, to: to!, limit: MOST_RECALLED });
  if (rows.length === MOST_RECALLED) {
    log.info({ rows: rows.length }, 'keep-alive learns again from a part of the stored traffic');
  }
  for (const { namespace, model, revision, minute, arrivals } of rows) {
    // Somewhen in that minute.
    const at = Math.min((minute + 0.5) * MINUTE_MS, now);
    const key = revisionKey(namespace, model, revision);
    if (arrivals > 0 && at > savedAt && exists(key)) book.replay(key, at);
  }
}

const KEEP_ALIVE: Actor = { id: 'system:keep-alive', role: 'admin' };

function makePlanEvent(revision: string, why: string, plan: Plan, at: number): NewEvent {
  const decision = { plan: plan.map(({ after, state }) => ({ after: Math.round(after), state })) };
  const parts = partsOfRevisionKey(revision);
  return { ...parts, at, type: 'KeepAlivePlanned', why, actor: KEEP_ALIVE, data: { decision } };
}
