import type { Trace } from '#simulate/trace.ts';

/** A request of one of the chosen models, in ms of the trace from its beginning. */
export interface Arrival {
  readonly model: number;
  readonly at: number;
}

const MINUTE_MS = 60_000;
/** Seldom enough to sleep at times, often enough to be seen in an hour. */
const LEAST_ARRIVALS = 24;
const MOST_ARRIVALS = 480;

/**
 * So many models of the trace that differ, spread evenly over those that are asked seldom and often, with their
 * arrivals. The trace knows minutes: each model has a moment of its own within the minute, always the same, so that
 * what comes each five minutes does.
 */
export function chooseArrivals(trace: Trace, count: number): readonly (readonly number[])[] {
  const byModel: number[][] = trace.models.map(() => []);
  trace.at.forEach((at, index) => byModel[trace.model[index]!]!.push(at - trace.from));
  const distinct = new Map(byModel.map((times) => [times.join(), times]));
  const fit = [...distinct.values()].filter(
    ({ length }) => length >= LEAST_ARRIVALS && length <= MOST_ARRIVALS,
  );
  if (fit.length < count) throw new Error(`the trace has ${fit.length} such models, not ${count}`);
  const sorted = fit.toSorted((a, b) => a.length - b.length);
  const step = sorted.length / count;
  return Array.from({ length: count }, (_, model) => {
    const moment = (model / count) * MINUTE_MS;
    return sorted[Math.floor(model * step)]!.map((at) => at + moment);
  });
}

/** Those from `from` until `to`, in the order of time. */
export function cutWindow(
  models: readonly (readonly number[])[],
  from: number,
  to: number,
): Arrival[] {
  return models
    .flatMap((times, model) => times.map((at) => ({ model, at })))
    .filter(({ at }) => at >= from && at < to)
    .toSorted((a, b) => a.at - b.at);
}

/** How many models are loaded, on the mean of the window, when each is kept for so long after a request. */
export function meanLoaded(
  models: readonly (readonly number[])[],
  idle: number,
  from: number,
  to: number,
): number {
  let loaded = 0;
  for (const times of models) {
    times.forEach((at, index) => {
      const end = Math.min(at + idle, times[index + 1] ?? Infinity, to);
      loaded += Math.max(0, end - Math.max(at, from));
    });
  }
  return loaded / (to - from);
}

/** The fixed time with which so many are loaded on the mean, to the second. */
export function findFixedTime(
  models: readonly (readonly number[])[],
  loaded: number,
  from: number,
  to: number,
): number {
  let [low, high] = [0, to];
  while (high - low > 1000) {
    const middle = (low + high) / 2;
    if (meanLoaded(models, middle, from, to) < loaded) low = middle;
    else high = middle;
  }
  return high;
}
