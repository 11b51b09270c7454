import { type LoadWindow, makeLoadWindow, meanLoad } from '../window.ts';
import { type LatencyWindow, latencyOver, makeLatencyWindow } from './latency-window.ts';
import type { Sighting } from './signals.ts';

/** Signals that Rouse measures by itself, over the last seconds. */

/** Long enough to be smooth, short enough for the number to follow a slope. */
const SIGNAL_SECONDS = 10;
/** What a burst is told by. */
const BURST_SECONDS = 4;
/** A time of requests looks back no further, or one that is over would still ask for more. */
const LATENCY_SECONDS = 8;
/** The share of requests whose time counts: all but the slowest twentieth. */
const LATENCY_SHARE = 0.95;

const TOO_NEW = 'is not known for long enough';

/** Sums or means of each second, written once a second. */
export interface Measured {
  /** Since when anything was ready, ms: before that nothing says anything. */
  since: number;
  /** Requests waiting and running. */
  readonly load: LoadWindow;
  readonly arrivals: LoadWindow;
  readonly ready: LoadWindow;
  /** From arrival to the end, and in the queue. */
  readonly latency: LatencyWindow;
  readonly waits: LatencyWindow;
}

export function makeMeasured(now: number): Measured {
  return {
    since: now,
    load: makeLoadWindow(now),
    arrivals: makeLoadWindow(now),
    ready: makeLoadWindow(now),
    latency: makeLatencyWindow(now),
    waits: makeLatencyWindow(now),
  };
}

/** A sum over all instances, as it was known at `now`, and is since `since`. */
export function sightTotal(since: number, window: LoadWindow, now: number): Sighting {
  const known = Math.floor((now - since) / 1000);
  if (known < BURST_SECONDS) return { value: undefined, at: now, missing: TOO_NEW };
  const value = meanLoad(window, now, Math.min(SIGNAL_SECONDS, known));
  return { value, burst: meanLoad(window, now, BURST_SECONDS), at: now };
}

/** A time of requests, in ms. That none has ended says nothing of how long they take. */
export function sightLatency(
  { since, ready }: Measured,
  window: LatencyWindow,
  now: number,
): Sighting {
  const known = Math.floor((now - since) / 1000);
  if (known < BURST_SECONDS) return { value: undefined, at: now, missing: TOO_NEW };
  const seconds = Math.min(LATENCY_SECONDS, known);
  const value = latencyOver(window, now, seconds, LATENCY_SHARE);
  if (value === undefined) return { value, at: now, missing: 'has no requests' };
  return { value, among: meanLoad(ready, now, seconds), at: now };
}
