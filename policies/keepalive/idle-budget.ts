/**
 * What may be loaded and idle on average, when all instances together have a budget: most of what those leave that
 * are used, or that something else keeps. Decayed over a day, as long as the price looks back: the rest of the budget
 * is the same question in each hour of the day.
 */
export interface IdleBudget {
  /** Decayed sum of memory × ms that was not to be had, and of the ms. */
  taken: number;
  weight: number;
  countedAt: number;
}

const DAY_MS = 86_400_000;
/** The rest is for starts: most of them shall find room without waiting for another instance to end. */
const SHARE = 0.8;

export function makeIdleBudget(now: number): IdleBudget {
  return { taken: 0, weight: 0, countedAt: now };
}

/** So much was not to be had since the last count. In place. */
export function countTaken(memory: IdleBudget, taken: number, now: number): void {
  const passed = Math.max(0, now - memory.countedAt);
  const left = Math.exp(-passed / DAY_MS);
  memory.taken = memory.taken * left + taken * passed;
  memory.weight = memory.weight * left + passed;
  memory.countedAt = now;
}

export function decideIdleBudget(total: number, { taken, weight }: IdleBudget): number {
  const mean = weight > 0 ? taken / weight : 0;
  return Math.max(0, SHARE * total - mean);
}
