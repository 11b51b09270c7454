import { parseCron } from '#domain/cron.ts';
import type { ScheduleSpec } from '#domain/keep-alive.ts';
import { formatDuration } from '#domain/units.ts';

/** What the times in which a model is to be kept ready ask for now. */
export interface Scheduled {
  /** Instances; 0: none of the times runs. */
  readonly count: number;
  /** Until then it is certain, ms since the epoch; undefined: for ever. */
  readonly until: number | undefined;
}

/** One of them: when the first of its times begins that is not over yet, and when that changes what it asks for. */
interface Next {
  readonly schedule: ScheduleSpec;
  readonly begin: number;
  readonly turn: number;
}

/** Of those that run at once the one with most instances counts. In the moment in which it ends it is over. */
export function decideScheduled(
  schedules: readonly ScheduleSpec[],
  now: number,
): { decision: Scheduled; why: string } {
  const next = schedules.flatMap((schedule) => nextOf(schedule, now));
  const [most] = next
    .filter(({ begin }) => begin <= now)
    .toSorted((a, b) => b.schedule.min - a.schedule.min);
  const until = next.length > 0 ? Math.min(...next.map(({ turn }) => turn)) : undefined;
  if (!most) return { decision: { count: 0, until }, why: 'none of its schedules runs' };
  const { cron, timeZone, duration, min } = most.schedule;
  const why = `its schedule ${cron} (${timeZone}) keeps ${min} for ${formatDuration(duration)}`;
  return { decision: { count: min, until }, why };
}

/** Empty: it never comes again. */
function nextOf(schedule: ScheduleSpec, now: number): readonly Next[] {
  const { cron, timeZone, duration } = schedule;
  const begin = parseCron(cron, timeZone).nextRun(now - duration);
  if (begin === undefined) return [];
  return [{ schedule, begin, turn: begin <= now ? begin + duration : begin }];
}
