/** A figure from several rounds. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  return { median: quantile(sorted, 0.5), low, high, rounds: sorted.length };
}

/** Of sorted values; between two of them the mean by distance. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return below + (above - below) * (at - Math.floor(at));
}

/** A loop over all of them, in turns: each round begins with another one, so that none always comes first. */
export function rotate<T>(list: readonly T[], by: number): T[] {
  return list
    .map((_, index) => list[(index + by) % list.length])
    .filter((one) => one !== undefined);
}
