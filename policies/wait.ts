/** What a waiting request's wait depends on. */
export interface WaitSeen {
  /** Whether an instance is there. */
  readonly warm: boolean;
  /** Measured cold starts, seconds; 0: none yet. */
  readonly coldStartSeconds: number;
  /** Since capacity was asked for, seconds. */
  readonly startingSeconds: number;
  /** Requests that are served before this one. */
  readonly ahead: number;
  /** Measured time from one of the queue's grants to the next, seconds; undefined: none yet. */
  readonly secondsPerGrant: number | undefined;
  /** Requests that an instance takes at once; 0 = no limit. */
  readonly concurrency: number;
}

/**
 * How long a request waits, in seconds: what is left of a cold start, then those ahead of it, one after the other
 * at the pace that the queue has had. As many as an instance takes at once do not wait for each other; without
 * a measured pace, nobody does.
 *
 * @returns undefined: nothing was measured that would tell.
 */
export function decideExpectedWait(seen: WaitSeen): number | undefined {
  const { warm, coldStartSeconds, startingSeconds, ahead, secondsPerGrant, concurrency } = seen;
  if (!warm && coldStartSeconds === 0) return undefined;
  const start = warm ? 0 : Math.max(0, coldStartSeconds - startingSeconds);
  const atOnce = concurrency === 0 ? Number.POSITIVE_INFINITY : concurrency;
  if (!warm && ahead < atOnce) return start;
  const turns = warm ? ahead + 1 : ahead + 1 - atOnce;
  return secondsPerGrant === undefined ? start : start + turns * secondsPerGrant;
}
