import { LATENCY_BUCKETS, latencyQuantile } from '#domain/latency.ts';

/**
 * Times of requests over the last seconds, in arrays that the caller owns and that are written in place: see
 * `window.ts`. Made only for who steers by a latency.
 *
 * Invariant: the row of second `s` is `s % SECONDS`, for each `s` in `(last - SECONDS, last]`; seconds in which nothing
 * was recorded are 0.
 */

/** Seconds kept: the window of signals, and one for the second that is still being filled. */
const SECONDS = 31;

export interface LatencyWindow {
  readonly counts: Uint32Array;
  /** The second recorded last. */
  last: number;
}

export function makeLatencyWindow(now: number): LatencyWindow {
  return { counts: new Uint32Array(SECONDS * LATENCY_BUCKETS), last: Math.floor(now / 1000) };
}

/** Adds requests of the past second, as pairs of bucket and count. */
export function recordLatency(window: LatencyWindow, now: number, pairs: readonly number[]): void {
  const second = Math.floor(now / 1000);
  // A clock that was set back adds to the newest second instead of rewriting the past.
  for (; window.last < second; window.last++) {
    if (second - window.last > SECONDS) window.last = second - SECONDS;
    rowOf(window, window.last + 1).fill(0);
  }
  const row = rowOf(window, window.last);
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const [bucket, count] = [pairs[i]!, pairs[i + 1]!];
    if (bucket >= 0 && bucket < LATENCY_BUCKETS) row[bucket]! += count;
  }
}

/** What a share of the requests of the last `seconds` did not pass, ms; undefined: none has ended. */
export function latencyOver(
  window: LatencyWindow,
  now: number,
  seconds: number,
  share: number,
): number | undefined {
  const sums = new Float64Array(LATENCY_BUCKETS);
  const end = Math.max(window.last, Math.floor(now / 1000) - 1);
  for (let second = end - seconds + 1; second <= window.last; second++) {
    if (second <= window.last - SECONDS) continue;
    const row = rowOf(window, second);
    for (let i = 0; i < LATENCY_BUCKETS; i++) sums[i]! += row[i]!;
  }
  return latencyQuantile(sums, share);
}

function rowOf({ counts }: LatencyWindow, second: number): Uint32Array {
  const start = (second % SECONDS) * LATENCY_BUCKETS;
  return counts.subarray(start, start + LATENCY_BUCKETS);
}
