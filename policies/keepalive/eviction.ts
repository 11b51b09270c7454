/** A loaded model that nobody uses now. */
export interface Evictable {
  readonly model: number;
  readonly memory: number;
  /** What keeping it is worth: the smallest goes first. */
  readonly worth: number;
}

/** Which go so that `short` of memory is free: the least worth first, no more than are needed. */
export function leastWorth(idle: readonly Evictable[], short: number): readonly Evictable[] {
  const left = [...idle];
  const chosen: Evictable[] = [];
  // One goes most of the time: looking for it costs less than sorting all.
  for (let missing = short; missing > 0 && left.length > 0;) {
    const least = left.reduce((best, one, at) => (one.worth < left[best]!.worth ? at : best), 0);
    const [one] = left.splice(least, 1);
    chosen.push(one!);
    missing -= one!.memory;
  }
  return chosen;
}

/**
 * Greedy-dual, as FaasCache has it (Fuerst and Sharma, ASPLOS 2021): what was evicted last sets the clock,
 * `frequency` counts the uses since it was loaded.
 */
export function greedyDualWorth(
  clock: number,
  { frequency, cost, memory }: { frequency: number; cost: number; memory: number },
): number {
  return clock + (frequency * cost) / memory;
}
