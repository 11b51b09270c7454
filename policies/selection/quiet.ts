/** When a model is asked least, by its own traffic of the last week. */

export interface Quiet {
  /** ms since the epoch. Undefined: too little is known of its traffic. */
  readonly window?: { readonly start: number; readonly end: number };
  /** A change disturbs nobody, or hardly anybody, now. */
  readonly isNow: boolean;
  readonly why: string;
}

/** Requests of a model, per minute since the epoch; minutes without any may be left out. */
export type Arrivals = readonly (readonly [minute: number, count: number])[];

const MINUTE_MS = 60_000;
/** A window begins at a quarter of an hour: finer is noise. */
const SLOT_MS = 15 * MINUTE_MS;
const DAY_MS = 96 * SLOT_MS;
const DAY_SLOTS = 96;
const WEEK_SLOTS = 7 * DAY_SLOTS;

/**
 * The stretch of `length` (ms) with the least traffic to be expected until `until`; one that has begun counts. What is
 * to be expected at a time of day is half of the mean of all days that are known, and half of what the same weekday
 * had, where that is known.
 *
 * @param arrivals of the last week.
 * @param since when the model was made, or its traffic began to be stored.
 */
export function decideQuiet(
  spec: { readonly length: number },
  seen: { readonly arrivals: Arrivals; readonly since: number; readonly until: number },
  now: number,
): Quiet {
  const { arrivals, since } = seen;
  const last = arrivals.at(-1)?.[0] ?? -Infinity;
  const idle = now - Math.max((last + 1) * MINUTE_MS, since);
  if (idle >= SLOT_MS) {
    return { isNow: true, why: `nobody has come for ${Math.floor(idle / MINUTE_MS)} minutes` };
  }
  if (now - since < DAY_MS) {
    const hours = Math.floor((now - since) / (60 * MINUTE_MS));
    const why = `its quiet time is not known: ${hours} hours of traffic are stored, 24 are needed`;
    return { isNow: false, why };
  }
  const start = findStart(makeExpected(arrivals, since, now), spec.length, seen.until, now);
  const window = { start, end: start + spec.length };
  const isNow = start <= now;
  const why = `the least traffic is ${isNow ? 'now' : 'expected'} from ${formatClock(start)} to ${formatClock(window.end)}`;
  return { window, isNow, why };
}

/** Requests to be expected in a slot, by its number since the epoch. */
function makeExpected(arrivals: Arrivals, since: number, now: number): (slot: number) => number {
  // The slot that runs is not over, and the one in which all began was not whole.
  const present = Math.floor(now / SLOT_MS);
  const first = Math.max(Math.ceil(since / SLOT_MS), present - WEEK_SLOTS);
  const counts = new Map<number, number>();
  for (const [minute, count] of arrivals) {
    const slot = Math.floor((minute * MINUTE_MS) / SLOT_MS);
    counts.set(slot, (counts.get(slot) ?? 0) + count);
  }
  return (slot) => {
    let [sum, days] = [0, 0];
    for (let past = slot - DAY_SLOTS; past >= first; past -= DAY_SLOTS) {
      if (past >= present) continue;
      sum += counts.get(past) ?? 0;
      days += 1;
    }
    const mean = days === 0 ? 0 : sum / days;
    const weekAgo = slot - WEEK_SLOTS;
    return weekAgo < first ? mean : (mean + (counts.get(weekAgo) ?? 0)) / 2;
  };
}

function findStart(
  expected: (slot: number) => number,
  length: number,
  until: number,
  now: number,
): number {
  const slots = Math.ceil(length / SLOT_MS);
  const from = Math.floor(now / SLOT_MS) - slots + 1;
  const to = Math.max(from, Math.floor(Math.min(until, now + DAY_MS) / SLOT_MS));
  let [best, least] = [from, Infinity];
  for (let start = from; start <= to; start++) {
    let traffic = 0;
    for (let slot = start; slot < start + slots; slot++) traffic += expected(slot);
    if (traffic < least) [best, least] = [start, traffic];
  }
  return best * SLOT_MS;
}

/** `03:15 UTC`. */
function formatClock(time: number): string {
  const minutes = Math.floor((time % DAY_MS) / MINUTE_MS);
  const [hour, minute] = [Math.floor(minutes / 60), minutes % 60];
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')} UTC`;
}
