import { formatDuration } from '#domain/units.ts';

/**
 * What a unit of memory may cost so that a budget is used and not exceeded. A controller that turns the price by
 * the memory in use now would follow the day: cheap at night, when it should save for the morning. So a few
 * prices are tried on the same requests at once, each by plans that are only counted (shadows), and the price is
 * taken at which the last day would have met the budget.
 *
 * The memory is changed in place:
 * 1. `used[shadow]` holds the memory × ms of one shadow in each of the last 24 hours, as a ring.
 * 2. Hours that have passed entirely are cleared before anything is added.
 * 3. Idle times of any length are in it as if counting had always gone on, see `unseenFrom`.
 */
export interface PriceMemory {
  /** Seconds of cold start for a unit of memory × ms, from dear to cheap. */
  readonly prices: Float64Array;
  readonly used: readonly Float64Array[];
  readonly since: number;
  /** The hour since the epoch up to which the ring is clear. */
  hour: number;
}

/** The prices that are tried: what lies beyond costs as the last one. */
export interface PriceRange {
  readonly dearest: number;
  readonly cheapest: number;
}

/** Each price that is tried is at most so many times the next: between two the use is nearly a power of the price. */
const MOST_STEP = 2.6;
/** A typical model is worth its memory for two minutes at the dearest price, for a day at the cheapest. */
const SHORTEST_MS = 2 * 60_000;
const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
export const WINDOW_HOURS = 24;

/** `costPerMemory`: of a typical model, the seconds of its cold start over its memory. */
export function rangeAround(costPerMemory: number): PriceRange {
  return { dearest: costPerMemory / SHORTEST_MS, cheapest: costPerMemory / LONGEST_MS };
}

export function makePriceMemory({ dearest, cheapest }: PriceRange, now: number): PriceMemory {
  const steps = Math.ceil(Math.log(dearest / cheapest) / Math.log(MOST_STEP));
  const step = (cheapest / dearest) ** (1 / steps);
  const prices = Float64Array.from({ length: steps + 1 }, (_, shadow) => dearest * step ** shadow);
  return {
    prices,
    used: Array.from(prices, () => new Float64Array(WINDOW_HOURS)),
    since: now,
    hour: Math.floor(now / HOUR_MS),
  };
}

/** False: hours that are still to come were counted, as by a clock that was set back since. */
export function isPast({ hour }: PriceMemory, now: number): boolean {
  return hour <= Math.floor(now / HOUR_MS);
}

/** One shadow has used this much memory × ms just before `at`, or at a time that has passed. In place. */
export function countUse(memory: PriceMemory, shadow: number, amount: number, at: number): void {
  clearUntil(memory, at);
  const hour = Math.floor(at / HOUR_MS);
  if (memory.hour - hour < WINDOW_HOURS) memory.used[shadow]![hour % WINDOW_HOURS]! += amount;
}

/**
 * From this idle time on, ms, what one that became idle at `idleSince` uses is to be counted for that moment, too.
 *
 * In the first three hours nobody can be seen who is idle for three hours, so a price at which models are kept for long
 * would seem to use less than it will. Who became idle one hour after counting began, and is idle for three, stands
 * for one that was so already at that hour: where requests come evenly there were as many. So each idle time is
 * counted for as long as the others once twice its length has passed, and never more than twice. It is infinite where
 * the idle time began before the counting.
 */
export function unseenFrom({ since }: PriceMemory, idleSince: number): number {
  return idleSince < since ? Number.POSITIVE_INFINITY : idleSince - since;
}

/**
 * The price for a budget, a mean of memory that is loaded and idle. What even the cheapest price would have left of it
 * in an hour, as at night or when little has been asked yet, cannot be spent later.
 */
export function decidePrice(
  budget: number,
  memory: PriceMemory,
  now: number,
): { decision: number; why: string } {
  clearUntil(memory, now);
  const { prices, used } = memory;
  const { span, spendable } = lookBack(budget, memory, now);
  const totals = used.map(sumOf);
  const over = totals.findIndex((total) => total > spendable);
  const seen = `over ${formatDuration(span)}`;
  if (over < 0) {
    return {
      decision: prices.at(-1)!,
      why: `the cheapest price tried used no more than the budget ${seen}`,
    };
  }
  if (over === 0) {
    return {
      decision: prices[0]!,
      why: `the dearest price tried used more than the budget ${seen}`,
    };
  }
  const [below, above] = [totals[over - 1]!, totals[over]!];
  // A price at which nothing was kept has no logarithm.
  const share =
    below > 0 ? Math.log(spendable / below) / Math.log(above / below) : spendable / above;
  const decision = prices[over - 1]! * (prices[over]! / prices[over - 1]!) ** share;
  const between = [below, above].map((total) => (total / span).toPrecision(3)).join(' and ');
  return { decision, why: `between prices that used ${between} ${seen}` };
}

/** The time that is counted, ms, and what could have been spent in it of a budget. */
function lookBack(
  budget: number,
  { since, hour, used }: PriceMemory,
  now: number,
): { span: number; spendable: number } {
  const cheapest = used.at(-1)!;
  let [span, spendable] = [0, 0];
  for (
    let each = Math.max(hour - WINDOW_HOURS + 1, Math.floor(since / HOUR_MS));
    each <= hour;
    each++
  ) {
    const begin = each * HOUR_MS;
    const length = Math.max(0, Math.min(now, begin + HOUR_MS) - Math.max(since, begin));
    span += length;
    spendable += Math.min(budget * length, cheapest[each % WINDOW_HOURS]!);
  }
  return { span, spendable };
}

function sumOf(hours: Float64Array): number {
  return hours.reduce((sum, hour) => sum + hour, 0);
}

function clearUntil(memory: PriceMemory, now: number): void {
  const hour = Math.floor(now / HOUR_MS);
  const first = Math.max(memory.hour + 1, hour - WINDOW_HOURS + 1);
  for (let each = first; each <= hour; each++) {
    for (const hours of memory.used) hours[each % WINDOW_HOURS] = 0;
  }
  memory.hour = Math.max(memory.hour, hour);
}
