import { type ScheduleInput, taskOf } from '#domain/schedule.ts';
import { runIdOf, type ScheduleRun } from '#domain/schedule-run.ts';
import type { Actor } from '#domain/records.ts';
import type { Due } from '#policies/schedules/due.ts';
import type { NewEvent } from '../records/journal.ts';
import type { KnownSchedule, ScheduleChange } from './book.ts';
import { type Begun, type Outcome, type Progress, SCHEDULES } from './task.ts';

/** What is written when something happens to a schedule or a run of it. Pure. */
export interface Step {
  readonly change: ScheduleChange;
  readonly events: readonly NewEvent[];
}

type Waiting = Extract<Due, { kind: 'wait' }>;

/** A time that was due: it has a run now, or will never have one. */
export function makeDue(
  schedule: KnownSchedule,
  due: Exclude<Due, Waiting>,
  why: string,
  now: number,
): Step {
  const { key, value } = schedule;
  const { scheduledAt, missed } = due;
  const skips = due.kind === 'skip';
  const run = makeRun(schedule, {
    id: runIdOf(schedule.name, scheduledAt),
    trigger: due.kind === 'start' && due.isLate ? 'catchUp' : 'time',
    scheduledAt,
    reason: why,
    ...(skips ? { state: 'Skipped', endedAt: now } : { state: 'Starting' }),
    ...(due.kind === 'start' && due.replaces.length > 0 && { replaces: [...due.replaces] }),
  });
  const record = { ...value, after: scheduledAt, missed: value.missed + missed };
  const events = skips ? [makeEvent(schedule, 'ScheduleSkipped', why, now, { run: run.id })] : [];
  return { change: { key, schedule: record, runs: [run] }, events };
}

/** Somebody wants it at once. `replaces`: ids of runs that end before it begins. */
export function makeManual(
  schedule: KnownSchedule,
  id: string,
  replaces: readonly string[],
  actor: Actor,
  now: number,
): ScheduleRun {
  return makeRun(schedule, {
    id,
    trigger: 'manual',
    scheduledAt: now,
    state: 'Starting',
    reason: `asked for by ${actor.id}`,
    ...(replaces.length > 0 && { replaces: [...replaces] }),
  });
}

/** It was begun, and may be over already. */
export function makeBegun(
  schedule: KnownSchedule,
  run: ScheduleRun,
  { job, outcome }: Begun,
  now: number,
): Step {
  const begun: ScheduleRun = {
    ...run,
    state: 'Running',
    startedAt: now,
    ...(job !== undefined && { job }),
  };
  if (outcome) return makeEnded(schedule, begun, outcome, now);
  const why = `run ${run.id}: ${run.reason}`;
  return {
    change: { key: schedule.key, runs: [begun] },
    events: [makeEvent(schedule, 'ScheduleRunStarted', why, now, { run: run.id })],
  };
}

/** It goes on. */
export function makeNoted({ key }: KnownSchedule, run: ScheduleRun, seen: Progress): Step {
  return { change: { key, runs: [{ ...run, ...seen }] }, events: [] };
}

export function makeEnded(
  schedule: KnownSchedule,
  run: ScheduleRun,
  { state, reason }: Outcome,
  now: number,
): Step {
  const ended: ScheduleRun = { ...run, state, reason, endedAt: now };
  const why = `run ${run.id}: ${reason}`;
  return {
    change: { key: schedule.key, runs: [ended] },
    events: [makeEvent(schedule, `ScheduleRun${state}`, why, now, { run: run.id })],
  };
}

/** Of the model that it is about. */
export function makeEvent(
  schedule: Pick<KnownSchedule, 'namespace' | 'name' | 'spec'>,
  type: string,
  why: string,
  at: number,
  data: Readonly<Record<string, unknown>> = {},
  actor: Actor = SCHEDULES,
): NewEvent {
  const { namespace, name, spec } = schedule;
  const about = { namespace, model: taskOf(spec).model ?? '', at, actor };
  return { ...about, type, why: `schedule ${name}: ${why}`, data: { schedule: name, ...data } };
}

/** Whether the times of a document are others than before: those of the past are not those that were meant then. */
export function hasOtherTimes(before: ScheduleInput, after: ScheduleInput): boolean {
  return timesOf(before) !== timesOf(after);
}

function timesOf({ spec }: ScheduleInput): string {
  const { schedule, timeZone = 'UTC', jitter = '0s', suspend = false } = spec;
  return JSON.stringify([schedule, timeZone, jitter, suspend]);
}

function makeRun(
  { namespace, name, spec }: KnownSchedule,
  part: Omit<ScheduleRun, 'namespace' | 'schedule' | 'task'>,
): ScheduleRun {
  return { namespace, schedule: name, task: taskOf(spec).kind, ...part };
}
