import type { Actor } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Bound } from '#policies/desired.ts';
import { decideScheduled, type Scheduled } from '#policies/keepalive/schedule.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import { createCalendar } from '../calendar.ts';

/**
 * Which models are to be kept ready now, whoever asks: `keepAlive.schedules`.
 *
 * 1. Models without schedules are not here, and those with them cost nothing until their next turn.
 * 2. What `floor` tells of a model holds until listeners hear of its turn.
 */
export interface Schedules {
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  /** Of each of its revisions that traffic leads to; undefined: none of its schedules runs. */
  floor(model: string): Bound | undefined;
  /** Called with the key of each model for which another floor holds from now on, because of the time. */
  onTurn(listener: (model: string) => void): void;
  close(): void;
}

interface Entry {
  readonly model: string;
  scheduled: Scheduled;
  why: string;
}

const TICK_MS = 1000;
/** Many say "at eight o'clock": they do not all start in the same second. */
const MOST_AT_ONCE = 200;

/** When it returns, `floor` knows all that the catalog has. */
export function createSchedules(options: {
  catalog: Catalog;
  clock: Clock;
  journal: Journal;
}): Schedules {
  const { catalog, clock, journal } = options;
  const listeners: ((model: string) => void)[] = [];
  const entries = new Map<string, Entry>();
  let lookedAt = clock.now();
  let calendar = createCalendar<Entry>(lookedAt);
  const timers = new Timers(clock);
  timers.every(TICK_MS, tick);
  for (const model of catalog.keys({ prefix: '', limit: catalog.size })) refresh(model);

  function refresh(model: string): void {
    const entry = catalog.model(model);
    const before = entries.get(model);
    if (before) calendar.delete(before);
    entries.delete(model);
    if (!entry || !hasSchedules(entry)) return;
    const { decision: scheduled, why } = decide(entry);
    const made = { model, scheduled, why };
    entries.set(model, made);
    lookAgain(made);
  }

  function decide(entry: ModelEntry): ReturnType<typeof decideScheduled> {
    return decideScheduled(specOf(entry).keepAlive.schedules ?? [], clock.now());
  }

  function lookAgain(one: Entry): void {
    if (one.scheduled.until !== undefined) calendar.set(one, one.scheduled.until);
  }

  function tick(): void {
    const now = clock.now();
    if (now < lookedAt) beginAnew(now);
    lookedAt = now;
    for (const one of calendar.take(now, MOST_AT_ONCE)) turn(one);
  }

  /** The clock was put back: what holds until a later hour need not hold now. */
  function beginAnew(now: number): void {
    calendar = createCalendar(now);
    for (const one of entries.values()) calendar.set(one, now);
  }

  function turn(one: Entry): void {
    const entry = catalog.model(one.model);
    if (!entry) return;
    const { decision, why } = decide(entry);
    const before = one.scheduled.count;
    one.scheduled = decision;
    one.why = why;
    lookAgain(one);
    if (decision.count === before) return;
    journal.note(makeTurnEvent(entry, one, clock.now()));
    for (const listener of listeners) listener(one.model);
  }

  return {
    refresh,
    floor(model) {
      const one = entries.get(model);
      if (!one || one.scheduled.count === 0) return undefined;
      return { source: 'schedule', count: one.scheduled.count, why: one.why };
    },
    onTurn: (listener) => void listeners.push(listener),
    close: () => timers.close(),
  };
}

/** Without reading the whole text, since of most models there is nothing to read. */
function hasSchedules({ stored }: ModelEntry): boolean {
  return stored.value.document.spec.keepAlive?.schedules !== undefined;
}

const KEEP_ALIVE: Actor = { id: 'system:keep-alive', role: 'admin' };

function makeTurnEvent(
  { namespace, name }: ModelEntry,
  { scheduled, why }: Entry,
  at: number,
): NewEvent {
  return {
    namespace,
    model: name,
    at,
    type: 'ScheduleTurned',
    why,
    actor: KEEP_ALIVE,
    data: { decision: { ...scheduled } },
  };
}
