import { formatUnusedFor } from '#domain/retention.ts';
import { formatPeriod } from '#domain/units.ts';
import type { Fate } from './retention.ts';
import { type Gaps, timeSeen, whenSeen } from './watch.ts';

/** The record of a job that has ended: what it has written stays, whatever becomes of it. */
export interface EndedJob {
  /** ms since the epoch. */
  readonly endedAt: number;
  /** How many have ended after it. */
  readonly newer: number;
  /** Who refers to it, as words for a reason: `it has made revision v2 of model digits`. */
  readonly heldBy: readonly string[];
  readonly gaps: Gaps;
}

export interface JobRules {
  /** ms from its end. */
  readonly unusedFor: number;
  /** How many stay at most, beside those that something refers to. */
  readonly most: number;
}

export function decideEndedJob(
  { unusedFor, most }: JobRules,
  { endedAt, newer, heldBy, gaps }: EndedJob,
  now: number,
): Fate {
  if (heldBy.length > 0) return { keep: true, why: heldBy.join(', ') };
  if (newer >= most) {
    return { keep: false, why: `${newer} jobs have ended since, at most ${most} are kept` };
  }
  if (unusedFor === Infinity) return { keep: true, why: 'unusedFor of jobs is never' };
  const age = timeSeen(endedAt, now, gaps);
  const why = `ended ${formatPeriod(age)} ago (goes after ${formatUnusedFor(unusedFor)})`;
  if (age >= unusedFor) return { keep: false, why };
  return { keep: true, why, goesAt: whenSeen(endedAt, unusedFor, now, gaps) };
}
