import type { Wanted } from '#domain/selection.ts';
import { formatDuration } from '#domain/units.ts';
import type { Choice } from './choice.ts';
import type { Quiet } from './quiet.ts';

/** What is done now. */
export interface Moment {
  readonly action: 'stay' | 'wait' | 'change';
  readonly why: string;
}

/** What was asked for by hand; no strategy takes that back. */
export const BY_HAND = 'manual';

/** What is wanted after a strategy has looked: it may have come to like what serves, or another one. */
export function decideWanted(
  before: Wanted | undefined,
  choice: Choice,
  change: Wanted['change'],
  now: number,
): Wanted | undefined {
  if (before?.reason === BY_HAND) return before;
  const { revision, reason, why } = choice;
  // On thin data nothing changes, a change that is wanted neither.
  if (revision === undefined) return reason === 'thin' ? before : undefined;
  const since = before?.revision === revision ? before.since : now;
  return { revision, reason, why, since, change };
}

/** Now, or in the quiet time of the model, but not for ever. */
export function decideMoment(
  wanted: Wanted | undefined,
  quiet: Quiet | undefined,
  wait: number,
  now: number,
): Moment {
  if (!wanted) return { action: 'stay', why: '' };
  if (wanted.change === 'now') return { action: 'change', why: 'at once' };
  if (now - wanted.since >= wait) {
    const waited = formatDuration(now - wanted.since);
    return { action: 'change', why: `it has waited ${waited} for a quiet time` };
  }
  if (!quiet) return { action: 'wait', why: 'it waits for a quiet time' };
  return { action: quiet.isNow ? 'change' : 'wait', why: quiet.why };
}
