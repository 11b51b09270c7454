/**
 * Bounds of the histogram of cold starts, seconds, from a process in a pool to a model of many gigabytes: the same
 * for every phase, wherever it is measured.
 */
export const COLD_START_BUCKETS = [
  0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** One metric, reported by who starts instances and by who holds requests: both say the same of it. */
export const COLD_START_HELP =
  'Cold starts by phase. queue (of a wait, what was not spent on a start) and infer count requests that waited; start (until the program runs) and load (until it is ready) count starts.';

/** When an instance was asked for, ran, and could take requests; ms. */
export interface StartTimes {
  readonly askedAt: number;
  readonly startedAt: number;
  readonly readyAt: number;
}

/** What a start took, by phase, seconds. What ran before it was asked for took no time to start. */
export function secondsOfStart(times: StartTimes): Readonly<Record<'start' | 'load', number>> {
  const { askedAt, startedAt, readyAt } = times;
  const ranAt = Math.max(startedAt, askedAt);
  return { start: (ranAt - askedAt) / 1000, load: Math.max(0, readyAt - ranAt) / 1000 };
}
