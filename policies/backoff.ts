import { backoffMs } from '#lib/backoff.ts';

const FIRST_MS = 1000;
/** Long enough to harm nobody, short enough that a source that is back is found within a minute. */
const MOST_MS = 60_000;

/** How long to wait before attempt number `attempt` + 1; `attempt` counts from 1. */
export function decideBackoff(attempt: number): { decision: number; why: string } {
  const decision = backoffMs(attempt, FIRST_MS, MOST_MS);
  return {
    decision,
    why: `attempt ${attempt} failed, the next follows after ${decision / 1000} s`,
  };
}
