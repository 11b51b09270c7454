import {
  readRuns,
  type RunAnswer,
  readSchedule,
  readSchedules,
  type ScheduleAnswer,
} from '#domain/read-views.ts';
import { TASK_KINDS } from '#domain/schedule.ts';
import { formatDuration, formatTime } from '#domain/units.ts';
import { type Client, namespacePath } from './client.ts';
import { listAll } from './pages.ts';
import { formatAge } from './print.ts';

/** Schedules and their runs, as commands speak of them. */

const PAGE = 1000;

export function schedulePath(namespace: string, ...parts: readonly string[]): string {
  return namespacePath(namespace, 'schedules', ...parts);
}

/** `namespace`: of this one; undefined: of all. */
export async function listSchedules(
  client: Client,
  namespace: string | undefined,
): Promise<ScheduleAnswer[]> {
  const path = namespace === undefined ? '/api/v1/schedules' : schedulePath(namespace);
  return await listAll(client, { path, query: { limit: PAGE } }, readSchedules);
}

export async function readScheduleOf(
  client: Client,
  namespace: string,
  name: string,
): Promise<ScheduleAnswer> {
  return await client.call({ path: schedulePath(namespace, name) }, readSchedule);
}

/** Newest first. */
export async function readRunsOf(
  client: Client,
  namespace: string,
  name: string,
): Promise<RunAnswer[]> {
  return (await client.call({ path: schedulePath(namespace, name, 'runs') }, readRuns)).items;
}

export function makeScheduleRows(
  schedules: readonly ScheduleAnswer[],
  namespace: string | undefined,
  now: number,
): string[][] {
  const first = firstIf(namespace);
  const rows = schedules.map(({ metadata, spec, status: { nextAt, last, active, missed } }) => [
    ...first(metadata.namespace),
    metadata.name,
    spec.schedule,
    spec.timeZone,
    formatTask(spec),
    spec.suspend ? 'suspended' : nextAt === undefined ? 'never' : formatTime(nextAt),
    String(active.length),
    last === undefined
      ? '-'
      : `${last.state} ${formatAge(now, last.endedAt ?? last.scheduledAt)} ago`,
    String(missed),
  ]);
  const head = ['NAME', 'SCHEDULE', 'TIME ZONE', 'DOES', 'NEXT', 'ACTIVE', 'LAST', 'MISSED'];
  return [[...first('NAMESPACE'), ...head], ...rows];
}

export function makeRunRows(
  runs: readonly RunAnswer[],
  namespace: string | undefined,
  now: number,
): string[][] {
  const first = firstIf(namespace);
  const rows = runs.map((run) => [
    ...first(run.namespace),
    run.id,
    run.schedule,
    run.trigger,
    run.state,
    formatTime(run.scheduledAt),
    run.startedAt === undefined ? '-' : formatDuration((run.endedAt ?? now) - run.startedAt),
    run.job ?? '-',
    run.reason.split('\n')[0] ?? '',
  ]);
  const head = ['RUN', 'SCHEDULE', 'TRIGGER', 'STATE', 'SCHEDULED', 'TOOK', 'JOB', 'REASON'];
  return [[...first('NAMESPACE'), ...head], ...rows];
}

/** The first cell of a row, where rows of several namespaces stand together. */
function firstIf(namespace: string | undefined): (cell: string) => string[] {
  return (cell) => (namespace === undefined ? [cell] : []);
}

/** `batch digits`. A server that is newer may have other kinds. */
function formatTask(spec: Readonly<Record<string, unknown>>): string {
  const kind = TASK_KINDS.find((name) => spec[name] !== undefined);
  const task = kind === undefined ? undefined : spec[kind];
  const isNamed = typeof task === 'object' && task !== null && 'model' in task;
  return [kind ?? '?', ...(isNamed ? [String(task.model)] : [])].join(' ');
}
