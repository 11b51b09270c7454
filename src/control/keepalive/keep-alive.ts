import { partsOfRevisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime, RuntimeEvent } from '#runtime/runtime.ts';
import { makeSecondBins } from '#policies/keepalive/bins.ts';
import { countTaken, decideIdleBudget, makeIdleBudget } from '#policies/keepalive/idle-budget.ts';
import { makeOnlineFleet } from '#policies/keepalive/online.ts';
import type { Plan } from '#policies/keepalive/plan.ts';
import type { Budget } from '../budget.ts';
import type { RevisionFacts } from '../facts.ts';
import type { Journal, NewEvent } from '../journal.ts';
import { createKeepAliveBook, type KeepAliveBook } from './book.ts';
import { createCosts } from './costs.ts';

/** Learned keep-alive: what the autoscaler asks, and what it has to be told. */
export interface KeepAlive extends KeepAliveBook {
  onRuntime(event: RuntimeEvent): void;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/**
 * Memory costs something although nobody else wants it now: a GiB for an hour as much as a second of cold start.
 * The least price; where memory has no bound, the price.
 */
const LEAST_PRICE = 1 / (2 ** 30 * 60 * MINUTE_MS);

export function createKeepAlive(options: {
  clock: Clock;
  runtime: Runtime;
  journal: Journal;
  budget: Budget;
  memoryBudget: number;
  coldStartSeconds: (revision: string) => number;
  factsOf: (revision: string) => RevisionFacts | undefined;
  /** Memory of instances that nobody uses and that are kept by a plan. */
  idleBytes: () => number;
  onAhead: (revision: string) => void;
}): KeepAlive {
  const { clock, runtime, journal, budget, memoryBudget, idleBytes } = options;
  const costs = createCosts(options);
  // The cheapest price that is tried is what a typical model costs in a day. It may be too cheap at first: placement
  // holds the budget by itself.
  const cost = LEAST_PRICE * DAY_MS;
  const all = makeOnlineFleet(makeSecondBins(), cost, clock.now(), { cheapFirst: true });
  const idleBudget = makeIdleBudget(clock.now());
  const timers = new Timers(clock);
  if (memoryBudget < Infinity) timers.every(MINUTE_MS, countTakenMemory);
  const book = createKeepAliveBook({
    ...options,
    all,
    seenOf: (facts) => costs.of(facts),
    idleBudget: () => decideIdleBudget(memoryBudget, idleBudget),
    isLoaded: (revision) => runtime.instances(revision).length > 0,
    onPlanned(revision, why, plan) {
      journal.note(makePlanEvent(revision, why, plan, clock.now()));
    },
  });

  function countTakenMemory(): void {
    countTaken(idleBudget, memoryBudget - budget.free() - idleBytes(), clock.now());
  }

  return {
    ...book,
    onRuntime: (event) => costs.seen(event.instance, clock.now()),
    forget(revision) {
      costs.forget(revision);
      book.forget(revision);
    },
    close() {
      timers.close();
      book.close();
    },
  };
}

const KEEP_ALIVE: Actor = { id: 'system:keep-alive', role: 'admin' };

function makePlanEvent(revision: string, why: string, plan: Plan, at: number): NewEvent {
  const decision = { plan: plan.map(({ after, state }) => ({ after: Math.round(after), state })) };
  const parts = partsOfRevisionKey(revision);
  return { ...parts, at, type: 'KeepAlivePlanned', why, actor: KEEP_ALIVE, data: { decision } };
}
