import type { RetentionRules } from '#domain/retention.ts';
import { formatPeriod, formatTime } from '#domain/units.ts';
import { type Gaps, timeSeen, whenSeen } from './watch.ts';

/** What was seen of one revision. Times are ms since the epoch. */
export interface RevisionSeen {
  readonly name: string;
  readonly ordinal: number;
  /** Made, or restored. */
  readonly begunAt: number;
  /** Undefined: no request has ever come. */
  readonly lastRequestAt: number | undefined;
  /** It became ready: with requests that makes it one to go back to. */
  readonly isReady: boolean;
  /** Requests of it wait or run. */
  readonly isBusy: boolean;
  /** Who needs it, as words for a reason: `traffic leads to it`. */
  readonly heldBy: readonly string[];
}

export interface RetentionSeen {
  /** Made, or restored, or its newest revision. */
  readonly begunAt: number;
  /** Of any of its revisions, those that are gone included. */
  readonly lastRequestAt: number | undefined;
  readonly heldBy: readonly string[];
  readonly revisions: readonly RevisionSeen[];
  readonly gaps: Gaps;
}

/** What becomes of a model or a revision. */
export interface Fate {
  readonly keep: boolean;
  readonly why: string;
  /** When it goes if nobody asks for it until then, ms since the epoch. Absent: not by its age. */
  readonly goesAt?: number;
}

export interface Fates {
  readonly model: Fate;
  readonly revisions: readonly { readonly name: string; readonly fate: Fate }[];
}

type Aged = Pick<RevisionSeen, 'begunAt' | 'lastRequestAt'>;

/**
 * What of a model has not been asked for longer than its rules allow, and is needed by nobody. The age is that of the
 * last request; what never had one is as old as it is.
 */
export function decideRetention(rules: RetentionRules, seen: RetentionSeen, now: number): Fates {
  const model = decideModel(rules, seen, now);
  const good = listGood(rules, seen);
  const revisions = seen.revisions.map((one) => ({
    name: one.name,
    fate: model.keep
      ? decideRevision(rules, one, good, { gaps: seen.gaps, now })
      : { keep: false, why: 'it goes with its model' },
  }));
  return { model, revisions };
}

function decideModel(rules: RetentionRules, seen: RetentionSeen, now: number): Fate {
  if (rules.pinned) return stays('it is pinned');
  const busy = seen.revisions.find(({ isBusy }) => isBusy);
  if (busy) return stays(`requests of its revision ${busy.name} wait or run`);
  if (seen.heldBy.length > 0) return stays(seen.heldBy.join(', '));
  return decideByAge(rules.modelUnusedFor, seen, { gaps: seen.gaps, now });
}

function decideRevision(
  rules: RetentionRules,
  one: RevisionSeen,
  good: ReadonlySet<string>,
  at: { readonly gaps: Gaps; readonly now: number },
): Fate {
  if (rules.pinned) return stays('its model is pinned');
  if (one.isBusy) return stays('requests of it wait or run');
  if (one.heldBy.length > 0) return stays(one.heldBy.join(', '));
  if (good.has(one.name)) {
    return stays(rules.keep === 1 ? 'it served last' : `one of the last ${rules.keep} that served`);
  }
  return decideByAge(rules.revisionUnusedFor, one, at);
}

/** Those that nothing else keeps, were ready, and had requests: the ones that somebody might go back to. */
function listGood({ keep }: RetentionRules, { revisions }: RetentionSeen): ReadonlySet<string> {
  const last = revisions
    .filter((one) => one.isReady && one.lastRequestAt !== undefined && one.heldBy.length === 0)
    .toSorted((a, b) => (b.lastRequestAt ?? 0) - (a.lastRequestAt ?? 0) || b.ordinal - a.ordinal);
  return new Set(last.slice(0, keep).map(({ name }) => name));
}

function decideByAge(
  unusedFor: number,
  { begunAt, lastRequestAt }: Aged,
  { gaps, now }: { readonly gaps: Gaps; readonly now: number },
): Fate {
  if (unusedFor === Infinity) return stays('what is unused is kept: unusedFor is never');
  const since = Math.max(begunAt, lastRequestAt ?? 0);
  const unused = timeSeen(since, now, gaps);
  const last =
    lastRequestAt === undefined
      ? 'no request has ever come'
      : `the last request came ${formatTime(lastRequestAt)}`;
  const why = `unused for ${formatPeriod(unused)} of ${formatPeriod(unusedFor)}: ${last}`;
  if (unused >= unusedFor) return { keep: false, why };
  return { keep: true, why, goesAt: whenSeen(since, unusedFor, now, gaps) };
}

function stays(why: string): Fate {
  return { keep: true, why };
}
