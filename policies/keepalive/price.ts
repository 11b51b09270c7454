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
 */
export interface PriceMemory {
  /** Seconds of cold start for a unit of memory × ms, from dear to cheap. */
  readonly prices: Float64Array;
  readonly used: readonly Float64Array[];
  readonly since: number;
  /** The hour since the epoch up to which the ring is clear. */
  hour: number;
}

export const SHADOWS = 8;
/** The shadows' prices: a typical model is worth its memory for two minutes at the first, for a day at the last. */
const SHORTEST_MS = 2 * 60_000;
const LONGEST_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
/** What is used in the first hour does not count: nothing is loaded yet, and every price looks too dear. */
export const FIRST_MS = HOUR_MS;
export const WINDOW_HOURS = 24;

/** `costPerMemory`: of a typical model, the seconds of its cold start over its memory. */
export function makePriceMemory(costPerMemory: number, now: number): PriceMemory {
  const growth = (LONGEST_MS / SHORTEST_MS) ** (1 / (SHADOWS - 1));
  return {
    prices: Float64Array.from(
      { length: SHADOWS },
      (_, shadow) => costPerMemory / (SHORTEST_MS * growth ** shadow),
    ),
    used: Array.from({ length: SHADOWS }, () => new Float64Array(WINDOW_HOURS)),
    since: now,
    hour: Math.floor(now / HOUR_MS),
  };
}

/** One shadow has used this much memory × ms just before `now`. In place. */
export function countUse(memory: PriceMemory, shadow: number, amount: number, now: number): void {
  clearUntil(memory, now);
  if (now - memory.since <= FIRST_MS) return;
  memory.used[shadow]![memory.hour % WINDOW_HOURS]! += amount;
}

/** The price for a budget, a mean of memory that is loaded and idle. */
export function decidePrice(
  budget: number,
  memory: PriceMemory,
  now: number,
): { decision: number; why: string } {
  clearUntil(memory, now);
  const { prices, since, used } = memory;
  // The hour that has just begun is one of those in the ring.
  const span = Math.min(now - since - FIRST_MS, (WINDOW_HOURS - 1) * HOUR_MS + (now % HOUR_MS));
  if (now - since <= FIRST_MS) {
    return { decision: prices[SHADOWS / 2]!, why: 'too early to judge: a price from the middle' };
  }
  const means = used.map((hours) => hours.reduce((sum, hour) => sum + hour, 0) / Math.max(1, span));
  const over = means.findIndex((mean) => mean > budget);
  const seen = `over ${formatDuration(span)}`;
  if (over <= 0) {
    const end = over === 0 ? 0 : SHADOWS - 1;
    const side =
      over === 0 ? 'the dearest price tried used more' : 'the cheapest price tried used less';
    return { decision: prices[end]!, why: `${side} than the budget ${seen}` };
  }
  const [below, above] = [means[over - 1]!, means[over]!];
  // A price at which nothing was kept has no logarithm.
  const share = below > 0 ? Math.log(budget / below) / Math.log(above / below) : budget / above;
  const decision = prices[over - 1]! * (prices[over]! / prices[over - 1]!) ** share;
  return { decision, why: `between prices that used ${round(below)} and ${round(above)} ${seen}` };
}

function clearUntil(memory: PriceMemory, now: number): void {
  const hour = Math.floor(now / HOUR_MS);
  const first = Math.max(memory.hour + 1, hour - WINDOW_HOURS + 1);
  for (let each = first; each <= hour; each++) {
    for (const hours of memory.used) hours[each % WINDOW_HOURS] = 0;
  }
  memory.hour = Math.max(memory.hour, hour);
}

function round(value: number): string {
  return value.toPrecision(3);
}
