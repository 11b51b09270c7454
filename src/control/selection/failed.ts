import type { RevisionRecord } from '#domain/records.ts';
import { DAY_MS } from '#domain/units.ts';

/**
 * Whether a rollout of this revision has failed, so that it is not chosen again soon. It may have met a bad hour: after a day it
 * may be tried again. A revision that was made since has only the name of the one that failed.
 *
 * @param at when a rollout of its name failed; undefined: none has.
 */
export function hasFailed(
  at: number | undefined,
  { createdAt }: Pick<RevisionRecord, 'createdAt'>,
  now: number,
): boolean {
  return at !== undefined && at > Math.max(now - DAY_MS, createdAt);
}
