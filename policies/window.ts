/**
 * Load over the last minute, one sum per second, in arrays that the caller owns and that are written in
 * place: one window per active revision, no allocation per report.
 *
 * Invariants: `sums[s % SECONDS]` belongs to second `s` for each `s` in `(last - SECONDS, last]`; seconds in
 * which nothing was recorded hold 0, which is the truth: no load.
 */

/** Seconds kept: the stable window, and one for the second that is still being filled. */
const SECONDS = 61;

export interface LoadWindow {
  readonly sums: Float64Array;
  /** The second recorded last. */
  last: number;
}

export function makeLoadWindow(now: number): LoadWindow {
  return { sums: new Float64Array(SECONDS), last: secondOf(now) };
}

/** Adds what one data plane saw in the past second: its mean of requests waiting and running. */
export function recordLoad(window: LoadWindow, now: number, concurrency: number): void {
  advance(window, secondOf(now));
  const slot = window.last % SECONDS;
  window.sums[slot] = (window.sums[slot] ?? 0) + concurrency;
}

/**
 * The mean over the last `seconds` whole seconds. The running second counts once something was recorded
 * in it; before that it would only pull the mean down.
 */
export function meanLoad(window: LoadWindow, now: number, seconds: number): number {
  const end = Math.max(window.last, secondOf(now) - 1);
  let sum = 0;
  for (let second = end - seconds + 1; second <= end; second++) {
    if (second > window.last || second <= window.last - SECONDS) continue;
    sum += window.sums[second % SECONDS] ?? 0;
  }
  return sum / seconds;
}

function advance(window: LoadWindow, second: number): void {
  // A clock that was set back adds to the newest second instead of rewriting the past.
  if (second <= window.last) return;
  const from = Math.max(window.last + 1, second - SECONDS + 1);
  for (let gone = from; gone <= second; gone++) window.sums[gone % SECONDS] = 0;
  window.last = second;
}

function secondOf(now: number): number {
  return Math.max(0, Math.floor(now / 1000));
}
