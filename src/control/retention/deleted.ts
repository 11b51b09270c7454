import type { RevisionRecord, TombstoneRecord } from '#domain/records.ts';
import { rowsOf } from '../records/pages.ts';
import { digestOf } from '../records/source.ts';
import type { Store, Write } from '#store/store.ts';

/** What was deleted at one time, of one model, and can be restored. */
export interface Deleted {
  /** `namespace/model`. */
  readonly model: string;
  readonly deletedAt: number;
  readonly deletedBy: string;
  readonly why: string;
  /** ms. */
  readonly undo: number;
  /** The model itself, with all its revisions; false: revisions of a model that was kept. */
  readonly whole: boolean;
  readonly revisions: readonly string[];
  /** Of content that they have. */
  readonly digests: readonly string[];
  /** Ids of those that have made revisions of these. */
  readonly jobs: readonly string[];
}

/** The store's tombstones in short, so that loops and lists never wait for the disk. */
export interface DeletedBook {
  /** Oldest first. */
  of(model: string): readonly Deleted[];
  all(): Iterable<Deleted>;
  readonly size: number;
  /** Takes over what the store has written. */
  accept(writes: readonly Write[]): void;
}

export async function loadDeleted(store: Store): Promise<DeletedBook> {
  const book = createDeletedBook();
  for await (const row of rowsOf(store, 'tombstone')) book.accept([row]);
  return book;
}

function createDeletedBook(): DeletedBook {
  const all = new Map<string, Deleted>();
  const byModel = new Map<string, Set<string>>();

  function put(group: string, model: string, { value, name }: Row): void {
    const known = all.get(group);
    all.set(group, {
      model,
      deletedAt: value.deletedAt,
      deletedBy: value.deletedBy.id,
      why: value.why,
      undo: value.undo,
      whole: value.model !== undefined || known?.whole === true,
      revisions: [...(known?.revisions ?? []), ...(name === undefined ? [] : [name])],
      digests: [...new Set([...(known?.digests ?? []), ...digestsOf(value.revision)])],
      jobs: [...(known?.jobs ?? []), ...jobsOf(value.revision)],
    });
    byModel.set(model, (byModel.get(model) ?? new Set()).add(group));
  }

  function drop(group: string, model: string): void {
    all.delete(group);
    const groups = byModel.get(model);
    groups?.delete(group);
    if (groups?.size === 0) byModel.delete(model);
  }

  return {
    of(model) {
      const groups = [...(byModel.get(model) ?? [])].toSorted();
      return groups.flatMap((group) => all.get(group) ?? []);
    },
    all: () => all.values(),
    get size() {
      return all.size;
    },
    accept(writes) {
      for (const { kind, key, value } of writes) {
        if (kind !== 'tombstone') continue;
        const [namespace = '', name = '', time = '', revision] = key.split('/');
        const model = `${namespace}/${name}`;
        // Those of one time come and go together.
        if (value) put(`${model}/${time}`, model, { value, name: revision });
        else drop(`${model}/${time}`, model);
      }
    },
  };
}

interface Row {
  readonly value: TombstoneRecord;
  readonly name: string | undefined;
}

function jobsOf(revision: RevisionRecord | undefined): string[] {
  return revision?.lineage ? [revision.lineage.job] : [];
}

/** All content that a revision needs to be started again. */
export function digestsOf(revision: RevisionRecord | undefined): string[] {
  if (!revision) return [];
  const { artifact, inspection, spec } = revision;
  const found = [artifact?.digest, inspection?.served?.digest, digestOf(spec)];
  return found.filter((digest) => digest !== undefined);
}
