import { backoffMs } from '#lib/backoff.ts';

const FIRST_MS = 1000;
/** Long enough to harm nobody, short enough that a source that is back is found within a minute. */
const MOST_MS = 60_000;

/** What ran for so long was not broken from the start. */
const SOUND_MS = 10_000;

/**
 * How long to wait before a process that ended by itself is started again. `memory`: how many ended soon after
 * their start, in a row. The first of them can be bad luck, and is replaced at once.
 */
export function decideRestart(
  memory: number,
  ranMs: number,
): { decision: number; memory: number; why: string } {
  const quick = ranMs >= SOUND_MS ? 0 : memory + 1;
  if (quick > 1) return { ...decideBackoff(quick - 1), memory: quick };
  return { decision: 0, memory: quick, why: 'it is started again at once' };
}

/** How long to wait before attempt number `attempt` + 1; `attempt` counts from 1. */
export function decideBackoff(attempt: number): { decision: number; why: string } {
  const decision = backoffMs(attempt, FIRST_MS, MOST_MS);
  return {
    decision,
    why: `attempt ${attempt} failed, the next follows after ${decision / 1000} s`,
  };
}
