import { isEnded, type JobAction, type JobRecord, type JobReport } from '#domain/job.ts';
import type { Actor } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';

/** What happens to a job, and what becomes of it. Pure. */
export type Happening =
  /** It is its turn. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'asked'; readonly action: JobAction; readonly actor: Actor }
  | { readonly kind: 'done'; readonly report: JobReport }
  /** It cannot be done, or not within its limits. */
  | { readonly kind: 'failed'; readonly why: string };

export interface JobChange {
  readonly record: JobRecord;
  /** Of the event. */
  readonly type: string;
  readonly why: string;
  readonly actor: Actor;
}

export const JOBS: Actor = { id: 'system:jobs', role: 'admin' };

const TYPES = { pause: 'JobPaused', resume: 'JobResumed', cancel: 'JobCancelled' } as const;
const DONE = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' } as const;

/** Throws Fault `conflict` where an action makes no sense now. Undefined: nothing changes. */
export function decideJob(
  record: JobRecord,
  happening: Happening,
  now: number,
): JobChange | undefined {
  if (happening.kind === 'asked') return act(record, happening.action, happening.actor, now);
  if (isEnded(record.state)) return undefined;
  if (happening.kind === 'begun') {
    if (record.state !== 'Pending') return undefined;
    const startedAt = record.startedAt ?? now;
    return change(record, { state: 'Running', startedAt }, 'JobStarted', 'its rows are scored');
  }
  if (happening.kind === 'failed') {
    return change(record, { state: 'Failed', endedAt: now }, 'JobFailed', happening.why);
  }
  const { report } = happening;
  const { done, failed } = report.rows;
  const but = failed === 0 ? '' : `, ${failed} of them failed`;
  return change(
    record,
    { state: 'Succeeded', endedAt: now, rows: report.rows, report },
    'JobSucceeded',
    `${done} rows in ${report.seconds.toFixed(1)} s${but}`,
  );
}

function act(
  record: JobRecord,
  action: JobAction,
  actor: Actor,
  now: number,
): JobChange | undefined {
  const { state } = record;
  if (isEnded(state)) {
    throw new Fault('conflict', `job ${record.id} has ended: it is ${state}`);
  }
  const why = `${DONE[action]} by ${actor.id}`;
  if (action === 'cancel') {
    return change(record, { state: 'Cancelled', endedAt: now }, TYPES.cancel, why, actor);
  }
  const isPaused = state === 'Paused';
  if ((action === 'pause') === isPaused) return undefined;
  // It waits for its turn again.
  const next = action === 'pause' ? 'Paused' : 'Pending';
  return change(record, { state: next }, TYPES[action], why, actor);
}

function change(
  record: JobRecord,
  part: Partial<JobRecord>,
  type: string,
  why: string,
  actor: Actor = JOBS,
): JobChange {
  return { record: { ...record, ...part, reason: why }, type, why, actor };
}
