/**
 * For how long memory is kept from those who wait for it.
 *
 * What was just started stays for as long as its start took, so that at most half of the time goes for starts: the
 * rule of ski rental (Karlin et al., "Competitive Snoopy Caching", Algorithmica 1988). What is in use has a turn of a
 * few starts while others wait, as a process has its quantum: A B C A B C becomes A A B B C C. And whoever waits has
 * patience for one turn: until then those in use need not give way, and smaller ones may go first.
 */

/** Those in use give way to who has waited for so long. Far below the minute that a caller is held by default. */
export const PATIENCE_MS = 5000;
/** A fifth of the time at most goes for starts, where that is possible without having others wait for too long. */
const STARTS_IN_A_TURN = 4;
const LEAST_TURN_MS = 5000;
const MOST_TURN_MS = 20_000;
const MOST_STAY_MS = 5000;

/** A start of so many ms is worth keeping what nobody uses for this long, ms. */
export function stayMs(startMs: number): number {
  return Math.min(startMs, MOST_STAY_MS);
}

/** For so many ms what is in use need not give way. */
export function turnMs(startMs: number): number {
  return Math.min(Math.max(STARTS_IN_A_TURN * startMs, LEAST_TURN_MS), MOST_TURN_MS);
}
