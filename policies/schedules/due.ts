import { parseCron } from '#domain/cron.ts';
import { type ScheduleSpec, startingDeadlineOf } from '#domain/schedule.ts';
import { DAY_MS, formatDuration, formatTime } from '#domain/units.ts';

/** What of a spec says when. */
export type Timing = Pick<
  ScheduleSpec,
  'schedule' | 'timeZone' | 'concurrencyPolicy' | 'startingDeadline' | 'suspend' | 'warmUp'
>;

export interface DueSeen {
  /** How much later than its times it runs, ms: its share of the jitter. */
  readonly delayMs: number;
  /** Ids of runs that have not ended, oldest first. */
  readonly active: readonly string[];
}

/** Times up to `after` have been dealt with, ms since the epoch. */
export interface DueMemory {
  readonly after: number;
}

export type Due =
  /** Nothing before `until`; undefined: never. */
  | { readonly kind: 'wait'; readonly until: number | undefined }
  | {
      readonly kind: 'start';
      readonly scheduledAt: number;
      /** It was due while nobody looked. */
      readonly isLate: boolean;
      /** Times before it at which nothing ran. */
      readonly missed: number;
      /** Runs that end before it begins. */
      readonly replaces: readonly string[];
    }
  | { readonly kind: 'skip'; readonly scheduledAt: number; readonly missed: number };

/** Who looks does so each second: later than that, it was not there. */
const LATE_MS = 60_000;
/** Times of a schedule that are counted one by one; those of each minute for a year would take a while. */
const MOST_COUNTED = 1000;
/** Runs of one schedule at once: more is one that never ends what it begins. */
const MOST_ACTIVE = 20;

/**
 * What a schedule has to do now. Each of its times is dealt with once, in their order: of several that have passed, the last
 * one is caught up, and the others are missed. A clock that is put back repeats nothing; where it was ahead by more than a
 * day, its times were wrong, and are forgotten.
 */
export function decideDue(
  spec: Timing,
  seen: DueSeen,
  memory: DueMemory,
  now: number,
): { decision: Due; memory: DueMemory; why: string } {
  if (spec.suspend) return wait(undefined, memory, 'it is suspended');
  const after = memory.after > now + DAY_MS ? now : memory.after;
  const { last, next, count } = passed(spec, after, now - seen.delayMs);
  if (last === undefined) {
    const until = next === undefined ? undefined : next + seen.delayMs;
    return wait(until, { after }, until === undefined ? 'never again' : formatTime(until));
  }
  const missed = count - 1;
  const of = { scheduledAt: last, missed };
  const settled = { memory: { after: last } };
  const lateMs = now - seen.delayMs - last;
  const refusal = refuse(spec, seen, lateMs);
  if (refusal !== undefined) return { decision: { kind: 'skip', ...of }, ...settled, why: refusal };
  const replaces = spec.concurrencyPolicy === 'Replace' ? seen.active : [];
  const isLate = lateMs > LATE_MS;
  const late = isLate ? `, ${formatDuration(lateMs)} late` : '';
  const before = missed > 0 ? `; ${missed} before it were missed` : '';
  const why = `due at ${formatTime(last)}${late}${before}`;
  return { decision: { kind: 'start', ...of, isLate, replaces }, ...settled, why };
}

function refuse(spec: Timing, { active }: DueSeen, lateMs: number): string | undefined {
  const startingDeadline = startingDeadlineOf(spec);
  if (startingDeadline !== undefined && lateMs > startingDeadline) {
    const late = formatDuration(lateMs);
    return `${late} late, its starting deadline is ${formatDuration(startingDeadline)}`;
  }
  return refuseBeside(spec, active);
}

/** Why no run may begin, whatever the time, beside those that have not ended: `active` are their ids. */
export function refuseBeside(
  { concurrencyPolicy }: Pick<Timing, 'concurrencyPolicy'>,
  active: readonly string[],
): string | undefined {
  const [first] = active;
  if (concurrencyPolicy === 'Forbid' && first !== undefined) return `run ${first} has not ended`;
  if (concurrencyPolicy === 'Allow' && active.length >= MOST_ACTIVE) {
    return `${active.length} of its runs have not ended`;
  }
  return undefined;
}

/** Its times after `after` and not after `to`: the last, how many, and the next one after them. */
function passed(
  { schedule, timeZone }: Timing,
  after: number,
  to: number,
): { last?: number; next: number | undefined; count: number } {
  const cron = parseCron(schedule, timeZone);
  let next = cron.nextRun(after);
  if (next === undefined || next > to) return { next, count: 0 };
  let last = next;
  let count = 1;
  for (next = cron.nextRun(last); next !== undefined && next <= to; next = cron.nextRun(last)) {
    // The one that was first after a long time is the one before now.
    last = count < MOST_COUNTED ? next : Math.max(next, cron.previousRun(to + 1) ?? next);
    count++;
  }
  return { last, next, count };
}

function wait(
  until: number | undefined,
  memory: DueMemory,
  why: string,
): { decision: Due; memory: DueMemory; why: string } {
  return { decision: { kind: 'wait', until }, memory, why };
}
