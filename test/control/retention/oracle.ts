import { isOpen, type Snapshot } from './snapshot.ts';

export interface Limits {
  readonly model: number;
  readonly revision: number;
  readonly keep: number;
  readonly artifact: number;
  readonly undo: number;
}

/** What really happened, whether or not control has heard of it or remembers. */
export interface Truth {
  /** ms, by revision. */
  readonly used: Map<string, number>;
  readonly busy: Set<string>;
  /** When content was pushed or asked for last, by digest. */
  readonly touched: Map<string, number>;
  /** Phases of rollouts, and what else has to come in some history. */
  readonly met: Set<string>;
}

const modelOf = (key: string): string => key.slice(0, key.lastIndexOf('/'));

/** What has gone by itself between two moments and should not have, or is missing. */
export function findWrongs(
  before: Snapshot,
  after: Snapshot,
  about: { truth: Truth; limits: Limits; now: number },
): string[] {
  return [
    ...findWrongModels(before, after, about),
    ...findWrongRevisions(before, after, about),
    ...findWrongTombstones(before, after, about),
    ...findWrongContent(before, after, about),
    ...findMissing(after),
  ];
}

type Find = (...given: Parameters<typeof findWrongs>) => string[];

function lastUseOf(key: string, { revisions }: Snapshot, { used }: Truth): number {
  const { createdAt = 0, restoredAt = 0 } = revisions.get(key) ?? {};
  return Math.max(createdAt, restoredAt, used.get(key) ?? 0);
}

const findWrongModels: Find = (before, after, { truth, limits, now }) => {
  const wrongs: string[] = [];
  for (const [key, { document, createdAt, restoredAt = 0 }] of before.models) {
    if (after.models.has(key)) continue;
    const own = [...before.revisions.keys()].filter((revision) => modelOf(revision) === key);
    const uses = own.map((revision) => lastUseOf(revision, before, truth));
    const age = now - Math.max(createdAt, restoredAt, ...uses);
    const { pinned = false, models } = document.spec.retention ?? {};
    if (pinned) wrongs.push(`${key} was pinned`);
    if (models) wrongs.push(`${key} was to stay`);
    if (age < limits.model) wrongs.push(`${key} was used ${age} ms ago`);
    if (own.some((revision) => truth.busy.has(revision))) wrongs.push(`${key} was busy`);
  }
  return wrongs;
};

const findWrongRevisions: Find = (before, after, { truth, limits, now }) => {
  const wrongs: string[] = [];
  for (const [key, record] of before.revisions) {
    const model = before.models.get(modelOf(key));
    if (after.revisions.has(key) || !model || !after.models.has(modelOf(key))) continue;
    const age = now - lastUseOf(key, before, truth);
    if (model.document.spec.retention?.pinned === true) wrongs.push(`${key} was pinned`);
    // What led to it may have gone elsewhere meanwhile.
    const back = { ...after, revisions: new Map([...after.revisions, [key, record]]) };
    if (isLedTo(key, before) && isLedTo(key, back)) wrongs.push(`traffic led to ${key}`);
    if (age < limits.revision) wrongs.push(`${key} was used ${age} ms ago`);
    if (truth.busy.has(key)) wrongs.push(`${key} was busy`);
  }
  return wrongs;
};

/** It serves, has a tag, will serve when it is ready, is being rolled out or compared with what is, or was chosen. */
function isLedTo(key: string, snapshot: Snapshot): boolean {
  const { models, revisions, splits, rollouts, choices } = snapshot;
  const model = modelOf(key);
  const record = revisions.get(key);
  if (!record) return false;
  const { name, ordinal } = record;
  const siblings = [...revisions].filter(([each]) => modelOf(each) === model);
  const newest = Math.max(...siblings.map(([, each]) => each.ordinal));
  const ready = siblings.filter(([, { state }]) => state === 'Ready').map(([, each]) => each);
  const latest = Math.max(...ready.map((each) => each.ordinal));
  const rows = models.get(model)?.document.spec.traffic;
  const split = ready.filter((each) => splits.get(model)?.includes(each.name));
  const rollout = rollouts.get(model);
  return (
    (rows?.some(({ revision }) => revision === name) ?? false) ||
    ordinal === newest ||
    split.includes(record) ||
    (!rows && split.length === 0 && ordinal === latest) ||
    (rollout !== undefined && isOpen(rollout) && [rollout.stable, rollout.canary].includes(name)) ||
    choices.get(model) === name
  );
}

/** What a rollout needs that is open, whoever wanted to delete it. */
function findMissing({ models, revisions, rollouts }: Snapshot): string[] {
  return [...rollouts].flatMap(([model, rollout]) => {
    if (!models.has(model) || !isOpen(rollout)) return [];
    const { stable, canary } = rollout;
    const missing = [stable, canary].filter((name) => !revisions.has(`${model}/${name}`));
    return missing.map((name) => `${model}/${name} is missing, and the rollout of ${canary} runs`);
  });
}

const findWrongTombstones: Find = (before, after, { limits, now }) =>
  [...before.tombstones].flatMap(([key, deletedAt]) => {
    const [namespace = '', name = '', , revision] = key.split('/');
    const model = `${namespace}/${name}`;
    const isBack =
      revision === undefined
        ? after.models.has(model)
        : after.revisions.has(`${model}/${revision}`);
    const isWrong = !after.tombstones.has(key) && !isBack && now - deletedAt < limits.undo;
    return isWrong ? [`${key} could be restored`] : [];
  });

const findWrongContent: Find = (before, after, { truth, limits, now }) => {
  const short = (digest: string): string => `content ${digest.slice(0, 8)}`;
  const gone = [...before.content].filter((digest) => !after.content.has(digest));
  const young = gone.filter((digest) => now - (truth.touched.get(digest) ?? 0) < limits.artifact);
  const missing = [...after.needed].filter((digest) => !after.content.has(digest));
  return [
    ...young.map((digest) => `${short(digest)} was pushed lately`),
    ...missing.map((digest) => `${short(digest)} is missing`),
  ];
};

/** What is left, though nobody has asked for anything for long, and nothing keeps it. */
export function findLeft(snapshot: Snapshot, { keep }: Limits): string[] {
  const { models, revisions, tombstones, content, needed } = snapshot;
  const spare = new Map<string, number>();
  for (const [key, { state }] of revisions) {
    const isPinned = models.get(modelOf(key))?.document.spec.retention?.pinned === true;
    if (isPinned || isLedTo(key, snapshot) || state === 'Proving') continue;
    spare.set(modelOf(key), (spare.get(modelOf(key)) ?? 0) + 1);
  }
  return [
    ...[...models].flatMap(([key, { document }]) =>
      document.spec.retention === undefined ? [`model ${key}`] : [],
    ),
    ...[...spare].flatMap(([key, count]) =>
      count > keep ? [`${count} revisions of ${key} that nothing leads to`] : [],
    ),
    ...[...tombstones.keys()].map((key) => `tombstone ${key}`),
    ...[...content].flatMap((digest) =>
      needed.has(digest) ? [] : [`content ${digest.slice(0, 8)}`],
    ),
  ];
}
