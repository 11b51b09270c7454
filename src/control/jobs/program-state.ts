import type { ProgramRecord } from '#domain/job.ts';
import { type ProgramReport, programSpec } from '#domain/program-job.ts';

/** What happens to the program of a job, and what becomes of the job. Pure. */
export type ProgramHappening =
  /** It is about to begin, from its beginning. */
  | { readonly kind: 'attempt' }
  /** It has failed by itself. */
  | { readonly kind: 'attemptFailed'; readonly why: string }
  /** All that it was to leave is there. */
  | { readonly kind: 'made'; readonly report: ProgramReport };

/** `type`: of the event; absent: there is nothing to tell. */
export interface ProgramChange {
  readonly record: ProgramRecord;
  readonly type?: string;
  readonly why: string;
}

/** So often it was cut off: it may be what ends Rouse, or its node. */
export const MOST_LOST = 10;

const KINDS: ReadonlySet<string> = new Set<ProgramHappening['kind']>([
  'attempt',
  'attemptFailed',
  'made',
]);

export function isOfProgram(happening: { readonly kind: string }): happening is ProgramHappening {
  return KINDS.has(happening.kind);
}

/** Of a job that has not ended. Undefined: nothing changes. */
export function decideProgram(
  record: ProgramRecord,
  happening: ProgramHappening,
  now: number,
): ProgramChange | undefined {
  if (record.state !== 'Running') return undefined;
  switch (happening.kind) {
    case 'attempt':
      return begin(record, now);
    case 'attemptFailed':
      return fail(record, happening.why, now);
    default:
      return finish(record, happening.report, now);
  }
}

/** What was begun, and has not failed by itself, was cut off: with Rouse, or with its pod. */
function begin(record: ProgramRecord, now: number): ProgramChange {
  const { attempts, failures } = record;
  const lost = attempts - failures;
  if (lost > MOST_LOST) return end(record, `it was cut off ${lost} times`, now);
  const next = { ...record, attempts: attempts + 1 };
  if (attempts === 0) return { record: next, why: record.reason };
  const why = `attempt ${attempts + 1}, from the beginning: ${failures} failed, ${lost} cut off`;
  return { record: { ...next, reason: why }, type: 'JobAttempt', why };
}

function fail(record: ProgramRecord, how: string, now: number): ProgramChange {
  const { retries } = programSpec.parse(record.spec);
  const failures = record.failures + 1;
  const failed = { ...record, failures };
  if (failures > retries)
    return end(failed, retries === 0 ? how : `${how} (${failures} times)`, now);
  const why = `${how}; it is begun again, ${failures} of ${retries} times`;
  return { record: { ...failed, reason: why }, type: 'JobAttemptFailed', why };
}

function finish(record: ProgramRecord, report: ProgramReport, now: number): ProgramChange {
  const took = `done in ${report.seconds.toFixed(1)} s`;
  const { model } = record.spec;
  const made =
    report.revision === undefined
      ? ''
      : report.isNew
        ? `: it made revision ${report.revision} of model ${model}`
        : `: what it left is revision ${report.revision} of model ${model} already`;
  const why = took + made;
  const done = { ...record, state: 'Succeeded', endedAt: now, report, reason: why } as const;
  return { record: done, type: 'JobSucceeded', why };
}

function end(record: ProgramRecord, why: string, now: number): ProgramChange {
  const ended = { ...record, state: 'Failed', endedAt: now, reason: why } as const;
  return { record: ended, type: 'JobFailed', why };
}
