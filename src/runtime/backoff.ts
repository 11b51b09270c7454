import { backoffMs } from '#lib/backoff.ts';

/**
 * When a revision whose instances fail may be started again. Pure: the fleet keeps one record per revision.
 * A strike is a failure that makes the next wait longer. Instances launched before the last strike were on
 * their way already: that they fail too says nothing new, so a wave of starts counts as one strike.
 */
export interface Backoff {
  /** Failed starts in a row. */
  readonly failures: number;
  readonly strikes: number;
  /** Launches before the last strike. */
  readonly struckLaunches: number;
  /** When the first instance since the last strike became ready; 0: none yet. */
  readonly readyAt: number;
  /** No start before this. */
  readonly retryAt: number;
}

/** First wait, doubled with each strike. */
const FIRST_MS = 100;
/** Long enough to cost nothing, short enough that a repaired dependency is noticed within a minute. */
const LONGEST_MS = 60_000;
/**
 * Strikes that are left once an instance became ready: its revision can start, so callers who wait are worth
 * another start soon. An instance that dies again and again in use is thus replaced within 6.4 s, far below
 * what a request may wait.
 */
const STRIKES_AFTER_READY = 6;
/** Ready for so long, an instance counts as sound, and earlier strikes are forgotten. */
const HEALTHY_MS = 10_000;

export const NO_BACKOFF: Backoff = {
  failures: 0,
  strikes: 0,
  struckLaunches: 0,
  readyAt: 0,
  retryAt: 0,
};

export function afterReady(backoff: Backoff, now: number): Backoff {
  return {
    ...backoff,
    failures: 0,
    strikes: Math.min(backoff.strikes, STRIKES_AFTER_READY),
    readyAt: backoff.readyAt === 0 ? now : backoff.readyAt,
  };
}

/** `launch`: the ordinal of the failed launch; `launches`: how many there have been. */
export function afterFailure(
  backoff: Backoff,
  seen: { now: number; wasReady: boolean; launch: number; launches: number },
): Backoff {
  const failures = seen.wasReady ? 0 : backoff.failures + 1;
  if (seen.launch < backoff.struckLaunches) {
    return seen.wasReady ? { ...spared(backoff, seen.now), failures } : { ...backoff, failures };
  }
  const recovered = backoff.readyAt > 0 && seen.now - backoff.readyAt >= HEALTHY_MS;
  // What ran soundly is replaced at once; if the replacement fails soon, that is a strike.
  const strikes = (recovered ? 0 : backoff.strikes) + (recovered && seen.wasReady ? 0 : 1);
  return {
    failures,
    strikes,
    struckLaunches: seen.launches,
    readyAt: 0,
    retryAt: seen.now + backoffMs(strikes, FIRST_MS, LONGEST_MS),
  };
}

/** What has served has died, while others did not start: its place is not left empty for their sake. */
function spared(backoff: Backoff, now: number): Backoff {
  const strikes = Math.min(backoff.strikes, STRIKES_AFTER_READY);
  const retryAt = Math.min(backoff.retryAt, now + backoffMs(strikes, FIRST_MS, LONGEST_MS));
  return { ...backoff, strikes, retryAt };
}

/** After a strike one instance at a time is tried, until one is ready: a broken revision costs little. */
export function isProbing(backoff: Backoff): boolean {
  return backoff.strikes > 0 && backoff.readyAt === 0;
}
