import {
  modelOf,
  partsOfModelKey,
  partsOfRevisionKey,
  revisionKey,
  tombstoneKey,
} from '#domain/names.ts';
import type { Actor, TombstoneRecord } from '#domain/records.ts';
import { formatPeriod } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import { type Catalog, heldKey, makeSplitWrite, type ModelEntry } from '../records/catalog.ts';
import { checkLabels } from '../records/checks.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import { MAX_MODELS, MAX_REVISIONS } from '../limits.ts';
import type { Deleted, DeletedBook } from './deleted.ts';
import type { LastUse } from './last-use.ts';

/**
 * Deletes and restores. Called by one at a time: what they look at still holds when they write.
 *
 * 1. A deletion is one transaction: what goes, and the tombstones by which it can come back.
 * 2. A restoration is one, too: all comes back that went at that time, or nothing.
 * 3. A tombstone of a whole model and those of its revisions have the same time; no two deletions of a model do.
 */
export interface Deletions {
  model(entry: ModelEntry, by: Reason): Promise<void>;
  revision(entry: ModelEntry, stored: Stored<'revision'>, by: Reason): Promise<void>;
  /** What was deleted last under this name. Faults `not_found`, `conflict`. */
  restoreModel(key: string, actor: Actor): Promise<void>;
  restoreRevision(key: string, actor: Actor): Promise<void>;
  /** It cannot be restored any more. */
  forget(deleted: Deleted, by: Reason): Promise<void>;
}

export interface Reason {
  readonly actor: Actor;
  /** `deleted by key:3f…`. */
  readonly why: string;
  /** For how long it can be restored, ms; 0: it cannot. */
  readonly undo: number;
}

/** Rows of one model: itself, and as many revisions as it may have. */
const MOST_ROWS = MAX_REVISIONS + 1;

export function createDeletions(options: {
  store: Store;
  catalog: Catalog;
  journal: Journal;
  clock: Clock;
  deleted: DeletedBook;
  lastUse: LastUse;
}): Deletions {
  const { store, catalog, journal, clock, deleted, lastUse } = options;

  async function commit(writes: readonly Write[], event: NewEvent): Promise<void> {
    await journal.commit(writes, [event]);
    deleted.accept(writes);
  }

  /** No two of a model at the same time. */
  function timeFor(model: string): number {
    const last = deleted.of(model).at(-1)?.deletedAt ?? 0;
    return Math.max(Math.floor(clock.now()), last + 1);
  }

  function makeGraves(entry: ModelEntry, by: Reason): Write[] {
    if (by.undo === 0) return [];
    const at = timeFor(entry.key);
    const own = {
      model: entry.stored.value,
      beside: besideOf(entry),
      lastRequestAt: lastUse.ofModel(entry.key),
    };
    const revisions = Array.from(entry.revisions.values(), ({ key, value }): Write => {
      const row = { revision: value, lastRequestAt: lastUse.ofRevision(key) };
      const grave = tombstoneKey(entry.key, at, value.name);
      return { kind: 'tombstone', key: grave, value: makeTombstone(by, at, row) };
    });
    const grave = tombstoneKey(entry.key, at);
    return [{ kind: 'tombstone', key: grave, value: makeTombstone(by, at, own) }, ...revisions];
  }

  async function rowsOf(found: Deleted): Promise<Stored<'tombstone'>[]> {
    const prefix = tombstoneKey(found.model, found.deletedAt);
    return await store.list('tombstone', { prefix, limit: MOST_ROWS });
  }

  function makeReturns(rows: readonly Stored<'tombstone'>[], actor: Actor): Write[] {
    const now = clock.now();
    const isWhole = rows.some(({ value }) => value.model !== undefined);
    return rows.flatMap(({ key, version, value }): Write[] => {
      const gone: Write = { kind: 'tombstone', key, expected: version, value: undefined };
      const [namespace = '', name = ''] = key.split('/');
      const { model, beside = [], revision } = value;
      if (model) {
        // Whoever kept it has let go of it.
        const { owner: _, ...rest } = model;
        const back = { ...rest, restoredAt: now, updatedAt: now, updatedBy: actor };
        return [
          gone,
          { kind: 'model', key: `${namespace}/${name}`, expected: 0, value: back },
          ...beside.map((row): Write => ({ kind: 'memory', key: row.key, value: row.value })),
        ];
      }
      if (!revision) return [gone];
      const back = isWhole ? revision : { ...revision, restoredAt: now };
      const at = revisionKey(namespace, name, revision.name);
      return [gone, { kind: 'revision', key: at, expected: 0, value: back }];
    });
  }

  async function restore(found: Deleted, actor: Actor, event: NewEvent): Promise<void> {
    const rows = await rowsOf(found);
    await commit(makeReturns(rows, actor), event);
    for (const { key, value } of rows) {
      const [namespace = '', name = '', , revision] = key.split('/');
      const at = revision === undefined ? '' : `/${revision}`;
      if (value.lastRequestAt !== undefined) {
        lastUse.restore(`${namespace}/${name}${at}`, value.lastRequestAt);
      }
    }
  }

  async function checkRoom(key: string): Promise<void> {
    const { namespace, model } = partsOfModelKey(key);
    if (catalog.model(key)) {
      throw new Fault(
        'conflict',
        `model ${key} is there, made after the one that was deleted: delete it first, then restore`,
      );
    }
    if (catalog.size >= MAX_MODELS) {
      throw new Fault('conflict', `there are ${MAX_MODELS} models, which is the limit`);
    }
    const found = newest(key, ({ whole }) => whole);
    const row = found && (await store.get('tombstone', tombstoneKey(key, found.deletedAt)));
    checkLabels(catalog, namespace, model, row?.value.model?.document.spec.traffic ?? []);
  }

  function newest(model: string, fits: (each: Deleted) => boolean): Deleted | undefined {
    return deleted.of(model).findLast(fits);
  }

  return {
    async model(entry, by) {
      const writes = [...makeDeletion(entry), ...makeGraves(entry, by)];
      const names = [...entry.revisions.keys()].join(', ');
      const why = `${by.why}, with revisions ${names}${describeUndo(by, entry.name)}`;
      const { namespace, name } = entry;
      const at = clock.now();
      const event = { at, namespace, model: name, type: 'ModelDeleted', why, actor: by.actor };
      await commit(writes, event);
    },
    async revision(entry, { key, version, value }, by) {
      const writes: Write[] = [{ kind: 'revision', key, expected: version, value: undefined }];
      if (by.undo > 0) {
        const at = timeFor(entry.key);
        const row = { revision: value, lastRequestAt: lastUse.ofRevision(key) };
        const grave = makeTombstone(by, at, row);
        writes.push({
          kind: 'tombstone',
          key: tombstoneKey(entry.key, at, value.name),
          value: grave,
        });
      }
      const why = by.why + describeUndo(by, `${entry.name} ${value.name}`);
      const parts = partsOfRevisionKey(key);
      await commit(writes, {
        ...parts,
        at: clock.now(),
        type: 'RevisionDeleted',
        why,
        actor: by.actor,
      });
    },
    async restoreModel(key, actor) {
      const found = newest(key, ({ whole }) => whole);
      if (!found) throw missing(`model ${key}`);
      await checkRoom(key);
      const parts = partsOfModelKey(key);
      const why = `restored by ${actor.id}, with revisions ${found.revisions.join(', ')}`;
      await restore(found, actor, { ...parts, at: clock.now(), type: 'ModelRestored', why, actor });
    },
    async restoreRevision(key, actor) {
      const { revision } = partsOfRevisionKey(key);
      const model = modelOf(key);
      const entry = catalog.model(model);
      const found = newest(model, (each) => !each.whole && each.revisions.includes(revision));
      if (!found) throw missing(`revision ${key}`);
      if (!entry) throw new Fault('conflict', `model ${model} is gone: restore that first`);
      if (entry.revisions.has(revision)) {
        throw new Fault(
          'conflict',
          `revision ${key} is there, made after the one that was deleted`,
        );
      }
      if (entry.revisions.size >= MAX_REVISIONS) {
        throw new Fault('conflict', `model ${model} has ${MAX_REVISIONS} revisions, the limit`);
      }
      const why = `restored by ${actor.id}`;
      const parts = partsOfRevisionKey(key);
      const type = 'RevisionRestored';
      await restore(found, actor, { ...parts, at: clock.now(), type, why, actor });
    },
    async forget(found, { actor, why }) {
      const rows = await rowsOf(found);
      const writes = rows.map(({ key, version }): Write => {
        return { kind: 'tombstone', key, expected: version, value: undefined };
      });
      const parts = partsOfModelKey(found.model);
      await commit(writes, { ...parts, at: clock.now(), type: 'UndoEnded', why, actor });
    },
  };
}

function makeTombstone(
  { actor, why, undo }: Reason,
  deletedAt: number,
  what: Pick<TombstoneRecord, 'model' | 'beside' | 'revision'> & {
    lastRequestAt: number | undefined;
  },
): TombstoneRecord {
  const { lastRequestAt, ...records } = what;
  const used = lastRequestAt === undefined ? {} : { lastRequestAt };
  return { deletedAt, deletedBy: actor, why, undo, ...used, ...records };
}

function makeDeletion(entry: ModelEntry): Write[] {
  const writes: Write[] = [
    { kind: 'model', key: entry.key, expected: entry.stored.version, value: undefined },
  ];
  for (const { key } of entry.revisions.values()) {
    // Whatever state a loop has just given it.
    writes.push({ kind: 'revision', key, value: undefined });
  }
  for (const { key } of besideOf(entry)) writes.push({ kind: 'memory', key, value: undefined });
  return writes;
}

/** What says beside the document who serves. */
function besideOf(entry: ModelEntry): NonNullable<TombstoneRecord['beside']> {
  const held = { key: heldKey(entry.key), value: { targets: entry.held } };
  const split = makeSplitWrite(entry.key, entry.split);
  return [
    ...(entry.held.length > 0 ? [held] : []),
    ...(entry.split ? [{ key: split.key, value: { ...entry.split } }] : []),
  ];
}

function describeUndo({ undo }: Reason, what: string): string {
  return undo === 0 ? '' : `; "rouse restore ${what}" brings it back for ${formatPeriod(undo)}`;
}

function missing(what: string): Fault {
  return new Fault(
    'not_found',
    `there is no ${what} that was deleted and can be restored: "rouse get models --deleted" lists those`,
  );
}
