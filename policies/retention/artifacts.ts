import { formatUnusedFor } from '#domain/retention.ts';
import { formatPeriod } from '#domain/units.ts';
import type { Fate } from './retention.ts';
import { type Gaps, timeSeen, whenSeen } from './watch.ts';

/** Content that no revision has, none that can be restored, and no folder of one of these. */
export interface ArtifactSeen {
  /** When it was pushed or asked for last, ms since the epoch. */
  readonly touchedAt: number;
  /** Since when control sees that nothing refers to it: what ran of it until then may still run. */
  readonly freeSince: number;
  readonly gaps: Gaps;
}

/** Instances of what was deleted drain meanwhile. */
const SETTLE_MS = 10 * 60_000;

/** Whether such content may go: between `push` and `apply` nothing refers to it yet. */
export function decideArtifact(unusedFor: number, seen: ArtifactSeen, now: number): Fate {
  if (unusedFor === Infinity) return { keep: true, why: 'unusedFor of artifacts is never' };
  const { gaps, touchedAt, freeSince } = seen;
  const settle = Math.min(SETTLE_MS, unusedFor);
  const age = timeSeen(touchedAt, now, gaps);
  const why = `nothing refers to it, pushed ${formatPeriod(age)} ago (goes after ${formatUnusedFor(unusedFor)})`;
  if (age >= unusedFor && now - freeSince >= settle) return { keep: false, why };
  const goesAt = Math.max(whenSeen(touchedAt, unusedFor, now, gaps), freeSince + settle);
  return { keep: true, why, goesAt };
}
