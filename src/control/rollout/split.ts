import type { RevisionRecord } from '#domain/records.ts';
import type { RolloutRecord } from '#domain/rollout.ts';
import type { RoutingTarget } from '#domain/routing.ts';
import type { Write } from '#store/store.ts';
import { type ModelEntry, makeSplitWrite, revisionsOf } from '../records/catalog.ts';
import type { Reference } from '../records/references.ts';
import { servingOf, sharesOf, type SplitInForce } from '../records/resolve.ts';

/**
 * New revisions of it are rolled out: it has the key `rollout`, and people left to Rouse which revision serves. A split
 * that names revisions is theirs; with the key `selection` a new revision is a candidate and no more.
 */
function isRolledOut({ stored }: ModelEntry): boolean {
  const { rollout, selection, traffic } = stored.value.document.spec;
  return (
    rollout !== undefined &&
    selection === undefined &&
    (traffic ?? []).every(({ latest, percent = 0 }) => latest === true || percent === 0)
  );
}

/**
 * A revision that gets ready does not take over by itself where there is a rollout: what serves goes on, in the same
 * write, until the rollout begins. The first revision of a model has nothing to be compared with, and serves.
 */
export function pinSplit(
  entry: ModelEntry,
  before: RevisionRecord,
  after: RevisionRecord,
): Write | undefined {
  if (after.state !== 'Ready' || before.state === 'Ready') return undefined;
  if (entry.split || !isRolledOut(entry)) return undefined;
  const targets = sharesOf(entry.resolved.targets);
  if (targets.length === 0) return undefined;
  const why = `${after.name} is ready, and its rollout has not begun`;
  return makeSplitWrite(entry.key, { by: 'rollout', why, targets });
}

/** What is served by it, and who serves once it has ended; undefined: it says nothing any more. */
export function makeSplit(model: string, record: RolloutRecord): Write | undefined {
  const targets = targetsOf(record);
  return targets && makeSplitWrite(model, { by: record.by, why: record.why, targets });
}

function targetsOf({ phase, stable, canary, percent }: RolloutRecord): RoutingTarget[] | undefined {
  if (phase === 'Ended') return undefined;
  if (phase === 'Promoted') return [{ revision: canary, percent: 100 }];
  if (phase === 'RolledBack' || phase === 'Aborted') return [{ revision: stable, percent: 100 }];
  return [
    { revision: stable, percent: 100 - percent },
    { revision: canary, percent },
  ];
}

export function isOpen({ phase }: RolloutRecord): boolean {
  return phase === 'Running' || phase === 'Paused';
}

/** What a rollout needs, and why. */
export function referencesOf(record: RolloutRecord | undefined): readonly Reference[] {
  if (!record || !isOpen(record)) return [];
  const why = `the rollout of ${record.canary} runs`;
  return [record.stable, record.canary].map((revision) => ({ revision, why }));
}

/** A revision that nobody has judged yet, newer than what serves, and what serves. */
export function findNew(
  entry: ModelEntry,
  record: RolloutRecord | undefined,
): { stable: string; canary: RevisionRecord } | undefined {
  if (!isRolledOut(entry) || entry.split?.by !== 'rollout') return undefined;
  const stable = record && isOpen(record) ? record.stable : servingOf(entry.resolved);
  const latest = latestOf(entry);
  if (stable === undefined || !latest || latest.name === stable) return undefined;
  const isKnown = record ? isPassed(latest, record) : isLaidDown(latest, entry, entry.split);
  return isKnown ? undefined : { stable, canary: latest };
}

/** It is the one that was rolled out last, or was there before that was made: what came after it has gone. */
function isPassed(latest: RevisionRecord, { canary, made, startedAt }: RolloutRecord): boolean {
  if (!made) return canary === latest.name && startedAt >= latest.createdAt;
  return latest.ordinal <= made.ordinal && latest.createdAt <= made.at;
}

/** It was there when the model was deleted, with one revision that served alone; who had judged it went with that. */
function isLaidDown(latest: RevisionRecord, { stored }: ModelEntry, split: SplitInForce): boolean {
  const { restoredAt = -Infinity } = stored.value;
  return restoredAt >= latest.createdAt && split.targets.length === 1;
}

export function latestOf(entry: ModelEntry): RevisionRecord | undefined {
  return revisionsOf(entry).findLast(({ state }) => state === 'Ready');
}
