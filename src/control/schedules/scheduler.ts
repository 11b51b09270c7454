import { createHash } from 'node:crypto';
import type { Actor } from '#domain/records.ts';
import { scheduleKey, type TaskKind } from '#domain/schedule.ts';
import { hasEnded, runIdOf, runKey, type ScheduleRun } from '#domain/schedule-run.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import { decideDue, refuseBeside } from '#policies/schedules/due.ts';
import { createTurns } from '../records/turns.ts';
import type { KnownSchedule, ScheduleBook } from './book.ts';
import { makeBegun, makeDue, makeEnded, makeManual, makeNoted, type Step } from './changes.ts';
import { createScheduleMetrics } from './metrics.ts';
import type { Begun, Task } from './task.ts';

/**
 * Does at its times what a schedule says.
 *
 * 1. A run is written together with the schedule's moving on past its time: of a time there is one run, whatever dies.
 * 2. A run that is Starting is started by whoever finds it so, and starting is repeatable: what it begins is there once.
 * 3. One change of schedules and runs at a time; what is decided holds when it is written.
 */
export interface Scheduler {
  shown(schedule: KnownSchedule): ScheduleShown;
  /** One at a time, with what the loop writes. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /** It was written: what is due may have changed. */
  changed(key: string): void;
  /** It has gone, and its runs. */
  removed(schedule: KnownSchedule): void;
  /** One run at once. Fault `conflict` where none may run beside those that do. */
  runNow(schedule: KnownSchedule, id: string, actor: Actor): Promise<ScheduleRun>;
  metrics(): Promise<string>;
  /** What is being begun may go on for a while; it is found as Starting by whoever begins anew. */
  close(): Promise<void>;
}

export interface ScheduleShown {
  readonly schedule: KnownSchedule;
  /** When its next run begins; undefined: it does not by itself. */
  readonly nextAt: number | undefined;
  /** Oldest first. */
  readonly runs: readonly ScheduleRun[];
}

export interface AppliedSchedule extends ScheduleShown {
  readonly outcome: 'created' | 'changed' | 'unchanged';
}

const TICK_MS = 1000;

export function createScheduler(options: {
  book: ScheduleBook;
  tasks: Readonly<Record<TaskKind, Task>>;
  /** It, or a run of it, is another than before, or has gone. */
  onChange: (schedule: KnownSchedule) => void;
  clock: Clock;
  log: Log;
}): Scheduler {
  const { book, tasks, onChange, clock, log } = options;
  const alone = createTurns();
  /** By key of schedules: nothing is due before. Absent: it has to be looked at. */
  const quietUntil = new Map<string, number>();
  /** By key of runs: what is being begun. */
  const beginning = new Map<string, Promise<void>>();
  const metrics = createScheduleMetrics(count);
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError: logFailure });
  let lookedAt = clock.now();
  let closed = false;
  loop.ask();

  function logFailure(error: unknown): void {
    if (!closed) log.error({ error: messageOf(error) }, 'a schedule could not be looked at');
  }

  async function step(): Promise<void> {
    const now = clock.now();
    if (now < lookedAt) quietUntil.clear();
    lookedAt = now;
    for (const { key } of book.all()) {
      if (now >= (quietUntil.get(key) ?? 0)) await alone(() => lookAt(key)).catch(logFailure);
    }
    for (const run of book.active()) await follow(run).catch(logFailure);
  }

  async function lookAt(key: string): Promise<void> {
    const schedule = book.get(key);
    if (!schedule || closed) return;
    const { value, spec } = schedule;
    const active = activeOf(key).map(({ id }) => id);
    const seen = { delayMs: delayOf(schedule), active };
    const { decision, memory, why } = decideDue(spec, seen, value, clock.now());
    if (decision.kind === 'wait') {
      if (memory.after !== value.after) await moveOn(schedule, memory.after);
      quietUntil.set(key, decision.until ?? Infinity);
      return;
    }
    const id = runIdOf(schedule.name, decision.scheduledAt);
    // The clock was wrong, or a schedule of this name was there before.
    if (book.runs(key).some((run) => run.id === id)) return await moveOn(schedule, memory.after);
    await write(schedule, makeDue(schedule, decision, why, clock.now()));
    metrics.missed(schedule, decision.missed);
  }

  async function moveOn({ key, value }: KnownSchedule, after: number): Promise<void> {
    await book.commit({ key, schedule: { ...value, after } }, []);
  }

  /** Carries a run on that has not ended. */
  async function follow(run: ScheduleRun): Promise<void> {
    if (beginning.has(runKey(run))) return;
    if (run.state === 'Starting') return begin(run);
    const schedule = ownerOf(run);
    const seen = schedule && tasks[run.task].look(run, schedule);
    if (!seen) return;
    const make = (now: KnownSchedule): Step =>
      seen.state === 'Running' ? makeNoted(now, run, seen) : makeEnded(now, run, seen, clock.now());
    await alone(() => settle(run, make));
  }

  /** It may take a while: nothing waits for it. */
  function begin(run: ScheduleRun): void {
    const begun = start(run)
      .finally(() => beginning.delete(runKey(run)))
      // What could not be written is begun again in a second, not at once.
      .then(() => loop.ask(), logFailure);
    beginning.set(runKey(run), begun);
  }

  async function start(run: ScheduleRun): Promise<void> {
    const schedule = ownerOf(run);
    if (!schedule) return;
    for (const id of run.replaces ?? []) await replace(schedule, id, run);
    const begun = await tasks[run.task].start(run, schedule).catch(explain);
    await alone(() => settle(run, (now) => makeBegun(now, run, begun, clock.now())));
  }

  async function replace(schedule: KnownSchedule, id: string, by: ScheduleRun): Promise<void> {
    await beginning.get(runKey({ ...by, id }));
    const run = activeOf(schedule.key).find((one) => one.id === id);
    if (!run) return;
    await tasks[run.task].stop(run);
    const outcome = { state: 'Cancelled', reason: `replaced by run ${by.id}` } as const;
    await alone(() => settle(run, (now) => makeEnded(now, run, outcome, clock.now())));
  }

  /** Unless it has gone, or has come to its end in another way. */
  async function settle(run: ScheduleRun, make: (now: KnownSchedule) => Step): Promise<void> {
    const schedule = ownerOf(run);
    if (!schedule || closed || !activeOf(schedule.key).some(({ id }) => id === run.id)) return;
    await write(schedule, make(schedule));
  }

  async function write(schedule: KnownSchedule, { change, events }: Step): Promise<void> {
    await book.commit(change, events);
    for (const run of change.runs ?? []) if (hasEnded(run)) metrics.ended(schedule, run.state);
    onChange(schedule);
  }

  function ownerOf({ namespace, schedule }: ScheduleRun): KnownSchedule | undefined {
    return book.get(scheduleKey(namespace, schedule));
  }

  function activeOf(key: string): ScheduleRun[] {
    return book.runs(key).filter((run) => !hasEnded(run));
  }

  function count() {
    const all = book.all();
    const suspended = all.filter(({ spec }) => spec.suspend).length;
    return { active: all.length - suspended, suspended, running: [...book.active()].length };
  }

  return {
    alone,
    shown(schedule) {
      const { key, spec, value } = schedule;
      const seen = { delayMs: delayOf(schedule), active: [] };
      const { decision } = decideDue(spec, seen, value, clock.now());
      const nextAt = decision.kind === 'wait' ? decision.until : clock.now();
      return { schedule, nextAt, runs: book.runs(key) };
    },
    changed(key) {
      quietUntil.delete(key);
      const schedule = book.get(key);
      if (schedule) onChange(schedule);
      loop.ask();
    },
    removed(schedule) {
      quietUntil.delete(schedule.key);
      metrics.forget(schedule);
      onChange(schedule);
    },
    async runNow(schedule, id, actor) {
      const { key, spec } = schedule;
      const active = activeOf(key).map((run) => run.id);
      const refusal = refuseBeside(spec, active);
      if (refusal !== undefined) {
        const why = `${refusal}, and concurrencyPolicy is ${spec.concurrencyPolicy}`;
        throw new Fault('conflict', `schedule ${schedule.name}: ${why}`);
      }
      const replaces = spec.concurrencyPolicy === 'Replace' ? active : [];
      const run = makeManual(schedule, id, replaces, actor, clock.now());
      await write(schedule, { change: { key, runs: [run] }, events: [] });
      loop.ask();
      return run;
    },
    metrics: () => metrics.text(),
    async close() {
      closed = true;
      await loop.close();
    },
  };
}

/** Its share of the jitter, ms: the same each time, and spread evenly over names. */
function delayOf({ key, spec }: KnownSchedule): number {
  const digest = createHash('sha256').update(key).digest();
  return Math.floor((digest.readUInt32BE() / 2 ** 32) * spec.jitter);
}

function explain(error: unknown): Begun {
  return { outcome: { state: 'Failed', reason: messageOf(error).slice(0, MOST_REASON) } };
}

const MOST_REASON = 8000;
