import type { RefusalCode } from '../refusal.ts';

/** What the end of a request says of its revision. */
export type Verdict = typeof UNJUDGED | typeof OK | typeof FAILED;
export const UNJUDGED = 0;
export const OK = 1;
export const FAILED = 2;

/** Refusals that are the revision's doing. */
const ITS_OWN = new Set<RefusalCode>([
  'run_timeout',
  'revision_failed',
  'start_failed',
  'instance_lost',
  'bad_upstream',
]);

export function verdictOf(code: RefusalCode): Verdict {
  return ITS_OWN.has(code) ? FAILED : UNJUDGED;
}
