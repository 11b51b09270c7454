import { z } from 'zod';
import { modelName, namespaceName } from './names.ts';
import { scheduleName, TASK_KINDS } from './schedule.ts';

/** What became of one time of a schedule. */

const RUN_STATES = [
  /** It is written down, and about to begin. */
  'Starting',
  'Running',
  'Succeeded',
  'Failed',
  'Cancelled',
  /** It has not begun, and will not. */
  'Skipped',
] as const;

const RUN_TRIGGERS = ['time', 'catchUp', 'manual'] as const;

const time = z.number().nonnegative();

export const scheduleRun = z.strictObject({
  id: modelName,
  namespace: namespaceName,
  schedule: scheduleName,
  task: z.enum(TASK_KINDS),
  trigger: z.enum(RUN_TRIGGERS).meta({
    description: 'time: it was due; catchUp: it was due while nobody could begin it; manual.',
  }),
  scheduledAt: time.meta({ description: 'The time of the schedule, without jitter.' }),
  startedAt: time.optional(),
  readyAt: time.optional().meta({ description: 'Of a warm-up: an instance was ready.' }),
  endedAt: time.optional(),
  state: z.enum(RUN_STATES),
  reason: z.string().max(8192),
  job: modelName.optional().meta({ description: 'The job that it is.' }),
  replaces: z.array(modelName).optional().meta({ description: 'Runs that end before it begins.' }),
});
export type ScheduleRun = z.output<typeof scheduleRun>;

/** `namespace/schedule/id`. */
export function runKey({
  namespace,
  schedule,
  id,
}: Pick<ScheduleRun, 'namespace' | 'schedule' | 'id'>): string {
  return `${namespace}/${schedule}/${id}`;
}

/** Of a time: the same, whoever asks and how often, so that there is one of it. */
export function runIdOf(schedule: string, scheduledAt: number): string {
  return `${schedule}-${Math.floor(scheduledAt / 60_000)}`;
}

export function hasEnded({ state }: Pick<ScheduleRun, 'state'>): boolean {
  return state !== 'Starting' && state !== 'Running';
}

/** `{date}` as 2026-03-29 and `{time}` as 02-30, by the clock of the place, and `{run}`: its id. */
export function fillIn(
  text: string,
  { id, scheduledAt }: Pick<ScheduleRun, 'id' | 'scheduledAt'>,
  timeZone: string,
): string {
  const parts = new Intl.DateTimeFormat('en', { ...FIELDS, timeZone }).formatToParts(scheduledAt);
  const of = (type: string): string => parts.find((part) => part.type === type)?.value ?? '';
  return text
    .replaceAll('{date}', `${of('year')}-${of('month')}-${of('day')}`)
    .replaceAll('{time}', `${of('hour')}-${of('minute')}`)
    .replaceAll('{run}', id);
}

const FIELDS = {
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
} as const;
