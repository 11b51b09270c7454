import { Fault } from '#lib/fault.ts';
import type { TimeZone } from './time-zone.ts';

/**
 * Times by the clock on the wall, as crontab writes them (POSIX): minute, hour, day of the month, month and day of the
 * week, with lists, ranges, steps and names (`MON`, `JAN`), or `@hourly`, `@daily`, `@weekly`, `@monthly`.
 */
export interface Cron {
  readonly text: string;
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** Both kinds of day were restricted: then either will do. */
  readonly eitherDay: boolean;
}

const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
};
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}
const MINUTE: Field = { name: 'minute', low: 0, high: 59 };
const HOUR: Field = { name: 'hour', low: 0, high: 23 };
const DAY: Field = { name: 'day of the month', low: 1, high: 31 };
const MONTH: Field = { name: 'month', low: 1, high: 12, names: MONTHS };
/** 7 is Sunday, too. */
const WEEKDAY: Field = { name: 'day of the week', low: 0, high: 7, names: WEEKDAYS };
const FIELDS = 5;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** No zone moves its clocks by more. */
const LONGEST_SHIFT_MS = 3 * HOUR_MS;
/** The 29th of February comes after at most eight years. */
const LONGEST_WAIT_MS = 8 * 366 * DAY_MS;

/** Throws Fault `invalid` that says which field is wrong. */
export function parseCron(text: string): Cron {
  const words = (NICKNAMES[text.trim()] ?? text).trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = words;
  if (words.length !== FIELDS) {
    throw new Fault(
      'invalid',
      `${JSON.stringify(text)}: expected five fields such as "0 3 * * *", or @daily`,
    );
  }
  const weekdays = parseField(WEEKDAY, weekday);
  if (weekdays.delete(7)) weekdays.add(0);
  return {
    text,
    minutes: parseField(MINUTE, minute),
    hours: parseField(HOUR, hour),
    days: parseField(DAY, day),
    months: parseField(MONTH, month),
    weekdays,
    eitherDay: !day.startsWith('*') && !weekday.startsWith('*'),
  };
}

function parseField(field: Field, text: string): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', stepText] = part.split('/');
    const [first = '', last] = range.split('-');
    const step = stepText === undefined ? 1 : numberOf(stepText, [1, field.high], field, part);
    const bounds: [number, number] = [field.low, field.high];
    const low = range === '*' ? field.low : numberOf(first, bounds, field, part);
    // `5/15` is every 15th from 5 on.
    const single = stepText === undefined ? low : field.high;
    const high =
      range === '*'
        ? field.high
        : last === undefined
          ? single
          : numberOf(last, bounds, field, part);
    if (low > high) refuse(field, part);
    for (let value = low; value <= high; value += step) found.add(value);
  }
  return found;
}

function numberOf(text: string, [low, high]: [number, number], field: Field, part: string): number {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + field.low;
  const value = /^[0-9]{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) refuse(field, part);
  return value;
}

function refuse({ name, low, high, names }: Field, part: string): never {
  const or = names ? ` or ${names[0]}–${names.at(-1)}` : '';
  throw new Fault(
    'invalid',
    `${name} ${JSON.stringify(part)}: expected ${low}–${high}${or}, a list, a range, or * with a step`,
  );
}

/**
 * The next time after `now`; undefined: there is none (30 February). What the clock skips when it is put forward comes
 * when it has been; what it shows twice when it is put back comes once, unless it is for every hour.
 */
export function nextAfter(cron: Cron, zone: TimeZone, now: number): number | undefined {
  let time = (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
  const end = now + LONGEST_WAIT_MS;
  while (time <= end) {
    if (isDue(cron, zone, time)) return time;
    time += stepFrom(cron, time + zone.offsetAt(time));
  }
  return undefined;
}

/** How far it is safe to go from a time on the wall at which nothing is due. */
function stepFrom(cron: Cron, wall: number): number {
  const intoDay = wall % DAY_MS;
  const toHour = HOUR_MS - (wall % HOUR_MS);
  if (!fitsDay(cron, wall)) return Math.max(DAY_MS - intoDay - LONGEST_SHIFT_MS, toHour);
  if (!cron.hours.has(Math.floor(intoDay / HOUR_MS))) return toHour;
  return MINUTE_MS;
}

function isDue(cron: Cron, zone: TimeZone, time: number): boolean {
  const offset = zone.offsetAt(time);
  if (fits(cron, time + offset)) return cron.hours.size === 24 || !isRepeated(zone, time, offset);
  return cron.hours.size < 24 && wasSkipped(cron, zone, time, offset);
}

/** The clock has shown this time before. */
function isRepeated(zone: TimeZone, time: number, offset: number): boolean {
  const before = zone.offsetAt(time - LONGEST_SHIFT_MS);
  return before > offset && zone.offsetAt(time - (before - offset)) === before;
}

/** In this minute the clock was put forward, over a time that fits. */
function wasSkipped(cron: Cron, zone: TimeZone, time: number, offset: number): boolean {
  const before = zone.offsetAt(time - MINUTE_MS);
  for (let skipped = time + before; skipped < time + offset; skipped += MINUTE_MS) {
    if (fits(cron, skipped)) return true;
  }
  return false;
}

function fits(cron: Cron, wall: number): boolean {
  const date = new Date(wall);
  const isTime = cron.minutes.has(date.getUTCMinutes()) && cron.hours.has(date.getUTCHours());
  return isTime && fitsDay(cron, wall);
}

function fitsDay({ days, months, weekdays, eitherDay }: Cron, wall: number): boolean {
  const date = new Date(wall);
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const isDay = days.has(date.getUTCDate());
  const isWeekday = weekdays.has(date.getUTCDay());
  return eitherDay ? isDay || isWeekday : isDay && isWeekday;
}
