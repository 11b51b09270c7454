import { isEnded, isProgram, type JobAction, type JobRecord, type JobReport } from '#domain/job.ts';
import type { Actor } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { decideProgram, isOfProgram, type ProgramHappening } from './program-state.ts';

/** What happens to a job, and what becomes of it. Pure. */
export type Happening =
  /** It is its turn. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'asked'; readonly action: JobAction; readonly actor: Actor }
  /** All rows of a batch are written. */
  | { readonly kind: 'done'; readonly report: JobReport }
  | ProgramHappening
  /** It cannot be done, or not within its limits. */
  | { readonly kind: 'failed'; readonly why: string };

export interface JobChange {
  readonly record: JobRecord;
  /** Of the event; absent: there is nothing to tell. */
  readonly type?: string;
  readonly why: string;
  readonly actor: Actor;
}

export const JOBS: Actor = { id: 'system:jobs', role: 'admin' };

const TYPES = { pause: 'JobPaused', resume: 'JobResumed', cancel: 'JobCancelled' } as const;
const DONE = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' } as const;

/** Characters of what failed: with what is said of it, a record and its event have room for it. */
const MOST_WHY = 7000;

/** Throws Fault `conflict` where an action makes no sense now. Undefined: nothing changes. */
export function decideJob(
  record: JobRecord,
  happening: Happening,
  now: number,
): JobChange | undefined {
  return decide(record, shorten(happening), now);
}

function shorten(happening: Happening): Happening {
  return 'why' in happening ? { ...happening, why: happening.why.slice(0, MOST_WHY) } : happening;
}

function decide(record: JobRecord, happening: Happening, now: number): JobChange | undefined {
  if (happening.kind === 'asked') return act(record, happening.action, happening.actor, now);
  if (isEnded(record.state)) return undefined;
  if (happening.kind === 'begun') {
    if (record.state !== 'Pending') return undefined;
    const startedAt = record.startedAt ?? now;
    const why = isProgram(record) ? 'its program runs' : 'its rows are scored';
    return change(record, { state: 'Running', startedAt }, 'JobStarted', why);
  }
  if (happening.kind === 'failed') {
    return change(record, { state: 'Failed', endedAt: now }, 'JobFailed', happening.why);
  }
  if (isOfProgram(happening)) {
    const decided = isProgram(record) ? decideProgram(record, happening, now) : undefined;
    return decided && { ...decided, actor: JOBS };
  }
  if (isProgram(record)) return undefined;
  const { report } = happening;
  const { done, failed } = report.rows;
  const but = failed === 0 ? '' : `, ${failed} of them failed`;
  const why = `${done} rows in ${report.seconds.toFixed(1)} s${but}`;
  const scored = { ...record, rows: report.rows, report };
  return change(scored, { state: 'Succeeded', endedAt: now }, 'JobSucceeded', why);
}

function act(
  record: JobRecord,
  action: JobAction,
  actor: Actor,
  now: number,
): JobChange | undefined {
  const { id, state } = record;
  if (isEnded(state)) throw new Fault('conflict', `job ${id} has ended: it is ${state}`);
  const why = `${DONE[action]} by ${actor.id}`;
  if (action === 'cancel') {
    return change(record, { state: 'Cancelled', endedAt: now }, TYPES.cancel, why, actor);
  }
  if (isProgram(record)) {
    throw new Fault('conflict', `job ${id} is a program, which can be cancelled only`);
  }
  const isPaused = state === 'Paused';
  if ((action === 'pause') === isPaused) return undefined;
  // It waits for its turn again.
  const next = action === 'pause' ? 'Paused' : 'Pending';
  return change(record, { state: next }, TYPES[action], why, actor);
}

function change(
  record: JobRecord,
  part: Pick<Partial<JobRecord>, 'state' | 'startedAt' | 'endedAt'>,
  type: string,
  why: string,
  actor: Actor = JOBS,
): JobChange {
  return { record: { ...record, ...part, reason: why }, type, why, actor };
}
