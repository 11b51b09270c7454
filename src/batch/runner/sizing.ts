/**
 * How many rows a request has: doubled as long as that scores more rows in a second, then held where they were most;
 * halved when answers take too long, or requests are too large. Pure: what was learned is an argument and a result.
 */
export interface Sizing {
  /** Rows of the next request; a power of two. */
  readonly size: number;
  /** Larger ones were tried, and were too slow, too large, or no better. */
  readonly most: number;
  /** Rows per second at the best size so far; 0: nothing is known. */
  readonly best: { readonly size: number; readonly rowsPerSecond: number };
  /** Decisions since the size was changed. */
  readonly steady: number;
}

/** What was seen since the last decision, all of it at the present size. */
export interface SizingSeen {
  readonly rowsPerSecond: number;
  /** Median of the time that the model took for a request, ms. */
  readonly latencyMs: number;
  /** Of a request. */
  readonly bytes: number;
}

/** Small enough for a model that takes a second for a row. */
const FIRST_SIZE = 16;
export const LARGEST_SIZE = 8192;
/** What is lost with an instance is done again, and what it holds up waits for so long. */
const LONGEST_MS = 1000;
/** A request is in memory several times over: here, on its way and where it is scored. */
const MOST_BYTES = 2 ** 20;
/** Less is noise. */
const GAIN = 1.05;
/** After so many decisions a larger one is tried again: what was too slow then need not be so now. */
const STEADY = 50;

export function beginSizing(): Sizing {
  const best = { size: FIRST_SIZE, rowsPerSecond: 0 };
  return { size: FIRST_SIZE, most: LARGEST_SIZE, best, steady: 0 };
}

export function decideSize(sizing: Sizing, seen: SizingSeen): Sizing {
  const { size, best, steady } = sizing;
  const { rowsPerSecond } = seen;
  if (seen.bytes > MOST_BYTES || (seen.latencyMs > LONGEST_MS && size > 1)) {
    const half = Math.max(1, size / 2);
    return { size: half, most: half, best: { size: half, rowsPerSecond: 0 }, steady: 0 };
  }
  if (size !== best.size && rowsPerSecond < best.rowsPerSecond * GAIN) {
    // No better than a smaller one: that is enough.
    return { size: best.size, most: best.size, best, steady: 0 };
  }
  const most = steady < STEADY ? sizing.most : Math.min(LARGEST_SIZE, sizing.most * 2);
  const next = Math.min(size * 2, most);
  return {
    size: next,
    most,
    best: { size, rowsPerSecond },
    steady: next === size ? steady + 1 : 0,
  };
}
