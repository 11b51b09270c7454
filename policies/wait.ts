/** What a waiting request's wait depends on. */
export interface WaitSeen {
  /** Whether an instance is there. */
  readonly warm: boolean;
  /** What it usually takes until one is there, seconds; 0: not known. */
  readonly startSeconds: number;
  /** Since capacity was asked for, seconds. */
  readonly startingSeconds: number;
  /** Requests that are served before this one. */
  readonly ahead: number;
  /** From one grant to the next while requests wait, seconds; undefined: not known. */
  readonly secondsPerGrant: number | undefined;
  /** Requests that an instance takes at once; 0 = no limit. */
  readonly concurrency: number;
}

/**
 * How long a request waits that is not served at once, in seconds: what is left of a start, then those ahead of
 * it, one after the other. As many as an instance takes at once do not wait for each other when it comes; how long
 * those behind them wait is not known of a model that has not run yet.
 *
 * @returns undefined: nothing is known that would tell. Nor is what is left of a start that takes longer than usual.
 */
export function decideExpectedWait(seen: WaitSeen): number | undefined {
  const { warm, startSeconds, startingSeconds, ahead, secondsPerGrant, concurrency } = seen;
  if (!warm && (startSeconds === 0 || startingSeconds > startSeconds)) return undefined;
  const start = warm ? 0 : startSeconds - startingSeconds;
  const atOnce = warm ? 0 : concurrency;
  if (concurrency === 0 || ahead < atOnce) return start;
  if (secondsPerGrant === undefined) return undefined;
  return start + (ahead + 1 - atOnce) * secondsPerGrant;
}
