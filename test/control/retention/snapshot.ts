import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelRecord, RevisionRecord } from '#domain/records.ts';
import { type RolloutRecord, rolloutRecord } from '#domain/rollout.ts';
import type { RoutingTarget } from '#domain/routing.ts';
import { selectionState } from '#domain/selection.ts';
import type { Store } from '#store/store.ts';

/** What outlives control. */
export interface Stored {
  readonly store: Store;
  /** Of content. */
  readonly folder: string;
}

/** All that is stored, as a stranger reads it. */
export interface Snapshot {
  readonly models: ReadonlyMap<string, ModelRecord>;
  /** By `namespace/model/revision`. */
  readonly revisions: ReadonlyMap<string, RevisionRecord>;
  /** Names of the revisions with a share of the split in force, by model. */
  readonly splits: ReadonlyMap<string, readonly string[]>;
  /** The last one of each model. */
  readonly rollouts: ReadonlyMap<string, RolloutRecord>;
  /** What selection is about to change to, by model. */
  readonly choices: ReadonlyMap<string, string>;
  /** When each was deleted, by its key in the store. */
  readonly tombstones: ReadonlyMap<string, number>;
  /** Content of what is there or can come back. */
  readonly needed: ReadonlySet<string>;
  readonly content: ReadonlySet<string>;
}

/** `folder`: of the content. */
export async function takeSnapshot({ store, folder }: Stored): Promise<Snapshot> {
  const models = await store.list('model');
  const revisions = await store.list('revision');
  const tombstones = await store.list('tombstone');
  const buried = tombstones.map(({ value }) => value.revision);
  const needed = [...revisions.map(({ value }) => value), ...buried].flatMap(
    (each) => each?.artifact?.digest ?? [],
  );
  return {
    models: new Map(models.map(({ key, value }) => [key, value])),
    revisions: new Map(revisions.map(({ key, value }) => [key, value])),
    splits: await readMemory(store, 'split', ({ targets }) =>
      (targets as RoutingTarget[]).flatMap(({ revision, percent }) =>
        percent > 0 ? [revision] : [],
      ),
    ),
    rollouts: await readRollouts(store),
    choices: await readMemory(
      store,
      'selection',
      (value) => selectionState.parse(value).wanted?.revision,
    ),
    tombstones: new Map(tombstones.map(({ key, value }) => [key, value.deletedAt])),
    needed: new Set(needed),
    content: listContent(folder),
  };
}

/** Not by the store: very many are taken, and each wait for a file takes longer than all of this. */
function listContent(folder: string): ReadonlySet<string> {
  const starts = ['notes', 'content'].flatMap((place) =>
    namesIn(join(folder, place)).map((start) => join(folder, place, start)),
  );
  const places = [...starts, join(folder, 'files'), join(folder, 'folders')];
  return new Set(places.flatMap(namesIn).filter((name) => /^[0-9a-f]{64}$/.test(name)));
}

/** What has just gone has none. */
function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

export async function readRollouts(store: Store): Promise<ReadonlyMap<string, RolloutRecord>> {
  return await readMemory(store, 'rollout', (value) => rolloutRecord.parse(value));
}

export function isOpen({ phase }: RolloutRecord): boolean {
  return phase === 'Running' || phase === 'Paused';
}

/** What a part of control remembers of models, by their keys. */
async function readMemory<T>(
  store: Store,
  part: string,
  read: (value: Readonly<Record<string, unknown>>) => T | undefined,
): Promise<ReadonlyMap<string, T>> {
  const rows = await store.list('memory', { prefix: `${part}/` });
  return new Map(
    rows.flatMap(({ key, value }) => {
      const found = read(value);
      return found === undefined ? [] : [[key.slice(part.length + 1), found] as const];
    }),
  );
}
