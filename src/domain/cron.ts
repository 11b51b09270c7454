import { Cron as Pattern } from 'croner';
import { Fault } from '#lib/fault.ts';

/**
 * Times by the clock on the wall of a place, as crontab writes them (POSIX): minute, hour, day of the month, month and
 * day of the week, with lists, ranges, steps and names (`MON`, `JAN`), or `@hourly`, `@daily`, `@weekly`, `@monthly`.
 *
 * What the clock skips when it is put forward comes when it has been; what it shows twice when it is put back comes
 * once. Where minute or hour are `*` or have a step, what is skipped does not come, and what is shown twice does twice.
 */
export interface Cron {
  /** The first after `now`, ms since the epoch; undefined: there is none (30 February). */
  nextRun(now: number): number | undefined;
  /** The last before `now`. */
  previousRun(now: number): number | undefined;
}

/** `5/20` is every 20th from 5 on. Both kinds of day restricted: either will do. */
const RULES = { mode: '5-part', sloppyRanges: true, fixedTimeRule: 'no-wildcard' } as const;
const FIELDS = [
  { name: 'minute', values: '0–59' },
  { name: 'hour', values: '0–23' },
  { name: 'day of the month', values: '1–31' },
  { name: 'month', values: '1–12 or JAN–DEC' },
  { name: 'day of the week', values: '0–7 or SUN–SAT' },
];

/**
 * Throws Fault `invalid` that says which field is wrong. `timeZone`: one that there is, such as `Europe/Berlin`; absent:
 * UTC, whose clock costs nothing.
 */
export function parseCron(text: string, timeZone?: string): Cron {
  const pattern = parsePattern(text, timeZone) ?? refuse(text);
  return {
    nextRun: (now) => pattern.nextRun(new Date(now))?.getTime(),
    previousRun: (now) => pattern.previousRuns(1, new Date(now))[0]?.getTime(),
  };
}

function parsePattern(text: string, timezone?: string): Pattern | undefined {
  try {
    return new Pattern(text, {
      ...RULES,
      ...(timezone === undefined ? { utcOffset: 0 } : { timezone }),
    });
  } catch {
    return undefined;
  }
}

function refuse(text: string): never {
  const words = text.trim().split(/\s+/);
  const isWrong = (word: string, at: number): boolean =>
    !parsePattern(FIELDS.map((_, index) => (index === at ? word : '*')).join(' '));
  const wrong = words.findIndex(isWrong);
  const field = FIELDS[wrong];
  if (words.length !== FIELDS.length || !field) {
    const expected = 'expected five fields such as "0 3 * * *", or @daily';
    throw new Fault('invalid', `${JSON.stringify(text)}: ${expected}`);
  }
  const expected = `${field.values}, a list, a range, or * with a step`;
  throw new Fault('invalid', `${field.name} ${JSON.stringify(words[wrong])}: expected ${expected}`);
}
