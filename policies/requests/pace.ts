import { backoffMs } from '#lib/backoff.ts';

/** How long until the next attempt, at most: `firstMs`, doubled with each failure up to `longestMs`. */
export interface Pace {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * Full jitter: anything between none and the whole wait, so that those that failed together do not come back together.
 * Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
 *
 * @param roll uniform in [0, 1).
 */
export function jitteredMs(failures: number, { firstMs, longestMs }: Pace, roll: number): number {
  return backoffMs(failures, firstMs, longestMs) * roll;
}
