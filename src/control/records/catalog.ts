import {
  hostLabel,
  modelKey,
  partsOfModelKey,
  partsOfRevisionKey,
  revisionKey,
} from '#domain/names.ts';
import type { RevisionRecord } from '#domain/records.ts';
import type { RoutingTarget } from '#domain/routing.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import { rowsOf } from './pages.ts';
import {
  type ResolvedTraffic,
  resolveTraffic,
  SPLIT_OWNERS,
  type SplitInForce,
} from './resolve.ts';

/**
 * The store's models and revisions in memory, so that loops and reads never wait for the disk.
 * It changes only through `accept`, after the store has taken the same writes.
 *
 * Invariants: what is shown of a key only gets newer; an entry's `resolved` is that of its present document, revisions, held split and split in force; each host
 * label of a namespace has one owner.
 */
export interface Catalog {
  model(key: string): ModelEntry | undefined;
  revision(key: string): Stored<'revision'> | undefined;
  /** Keys of models in order, from after `after`. */
  keys(page: { prefix: string; after?: string; limit: number }): string[];
  /** The model whose address `label` is in this namespace, as `model digits` or `tag canary of model digits`. */
  ownerOf(namespace: string, label: string): { model: string; what: string } | undefined;
  readonly size: number;
  /**
   * Takes over what the store has written, except what is older than what is known; returns the keys of the
   * models that it touches.
   */
  accept(writes: readonly Write[], versions: readonly number[]): ReadonlySet<string>;
}

export interface ModelEntry {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly stored: Stored<'model'>;
  readonly revisions: ReadonlyMap<string, Stored<'revision'>>;
  /** Serves while the split of the document waits for revisions to become Ready. */
  readonly held: readonly RoutingTarget[];
  /** What a part has set in place of the document's split. */
  readonly split: SplitInForce | undefined;
  readonly resolved: ResolvedTraffic;
}

/** Sets a split in place of the one that people wrote, or (undefined) lets theirs count again. */
export function makeSplitWrite(model: string, split: SplitInForce | undefined): Write {
  return { kind: 'memory', key: SPLIT_PREFIX + model, value: split && { ...split } };
}

/** Key, in the store's `memory`, of the split that a model holds on to. */
export function heldKey(model: string): string {
  return HELD_PREFIX + model;
}

const HELD_PREFIX = 'held/';
const SPLIT_PREFIX = 'split/';
/** Deletions whose version is kept, for writes that are told of late: those are told within a second or so. */
const DELETIONS_KEPT = 10_000;

type Parts = {
  -readonly [P in 'stored' | 'revisions' | 'held' | 'split']?: ModelEntry[P];
};

export async function loadCatalog(store: Store): Promise<Catalog> {
  const catalog = createCatalog();
  const take = (row: Write & { readonly version: number }): unknown =>
    catalog.accept([row], [row.version]);
  for await (const row of rowsOf(store, 'model')) take(row);
  for await (const row of rowsOf(store, 'revision')) take(row);
  for (const prefix of [HELD_PREFIX, SPLIT_PREFIX]) {
    for await (const row of rowsOf(store, 'memory', prefix)) take(row);
  }
  return catalog;
}

function createCatalog(): Catalog {
  const parts = new Map<string, Parts>();
  const entries = new Map<string, ModelEntry>();
  const labels = new Map<string, { model: string; what: string }>();
  const isNewer = createVersions();
  let order: string[] | undefined;

  function partsOf(key: string): Parts {
    let found = parts.get(key);
    if (!found) parts.set(key, (found = {}));
    return found;
  }

  function take(write: Write, version: number): string | undefined {
    if (write.kind === 'model') {
      const stored = write.value && {
        kind: write.kind,
        key: write.key,
        version,
        value: write.value,
      };
      setOrDelete(partsOf(write.key), 'stored', stored);
      return write.key;
    }
    if (write.kind === 'revision') {
      const { namespace, model, revision } = partsOfRevisionKey(write.key);
      const owner = partsOf(modelKey(namespace, model));
      const revisions = new Map(owner.revisions);
      if (write.value) {
        revisions.set(revision, { kind: write.kind, key: write.key, version, value: write.value });
      } else revisions.delete(revision);
      owner.revisions = revisions;
      return modelKey(namespace, model);
    }
    if (write.kind === 'memory' && write.key.startsWith(HELD_PREFIX)) {
      const key = write.key.slice(HELD_PREFIX.length);
      setOrDelete(partsOf(key), 'held', write.value && readTargets(write.value['targets']));
      return key;
    }
    if (write.kind === 'memory' && write.key.startsWith(SPLIT_PREFIX)) {
      const key = write.key.slice(SPLIT_PREFIX.length);
      setOrDelete(partsOf(key), 'split', write.value && readSplit(write.value));
      return key;
    }
    return undefined;
  }

  function rebuild(key: string): void {
    const { stored, revisions = new Map(), held = [], split } = parts.get(key) ?? {};
    const before = entries.get(key);
    if (before) for (const label of labelsOf(before)) labels.delete(label.key);
    if ((before === undefined) !== (stored === undefined)) order = undefined;
    if (!stored) {
      entries.delete(key);
      if (revisions.size === 0 && held.length === 0 && !split) parts.delete(key);
      return;
    }
    const { namespace, model: name } = partsOfModelKey(key);
    const records = [...revisions.values()].map((revision) => revision.value);
    const resolved = resolveTraffic(stored.value.document.spec.traffic, records, held, split);
    const entry = { key, namespace, name, stored, revisions, held, split, resolved };
    entries.set(key, entry);
    for (const label of labelsOf(entry)) labels.set(label.key, label);
  }

  return {
    model: (key) => entries.get(key),
    revision(key) {
      const { namespace, model, revision } = partsOfRevisionKey(key);
      return entries.get(modelKey(namespace, model))?.revisions.get(revision);
    },
    keys({ prefix, after = '', limit }) {
      order ??= [...entries.keys()].sort();
      const page: string[] = [];
      const from = after > prefix ? after : prefix;
      for (let index = lowerBound(order, from); index < order.length; index++) {
        const key = order[index] ?? '';
        if (!key.startsWith(prefix) || page.length === limit) break;
        if (key !== after) page.push(key);
      }
      return page;
    },
    ownerOf: (namespace, label) => labels.get(`${namespace}/${label}`),
    get size() {
      return entries.size;
    },
    accept(writes, versions) {
      const touched = new Set<string>();
      for (const [index, write] of writes.entries()) {
        const version = versions[index] ?? 0;
        const key = isNewer(write, version) ? take(write, version) : undefined;
        if (key !== undefined) touched.add(key);
      }
      for (const key of touched) rebuild(key);
      return touched;
    },
  };
}

/** Two writes of one key may be told in another order than they were made in: the later one counts. */
function createVersions(): (write: Write, version: number) => boolean {
  const newest = new Map<string, number>();
  const deleted = new Set<string>();
  return ({ kind, key, value }, version) => {
    const id = `${kind} ${key}`;
    if (version <= (newest.get(id) ?? 0)) return false;
    newest.set(id, version);
    deleted.delete(id);
    if (value === undefined) deleted.add(id);
    const [oldest] = deleted;
    if (oldest !== undefined && deleted.size > DELETIONS_KEPT) {
      deleted.delete(oldest);
      newest.delete(oldest);
    }
    return true;
  };
}

/** The records of a model's revisions, oldest first. */
export function revisionsOf(entry: ModelEntry): RevisionRecord[] {
  return [...entry.revisions.values()]
    .map((stored) => stored.value)
    .sort((a, b) => a.ordinal - b.ordinal);
}

/** Keys of all revisions of a model. */
export function revisionKeys(entry: ModelEntry): string[] {
  return [...entry.revisions.keys()].map((name) => revisionKey(entry.namespace, entry.name, name));
}

function labelsOf(
  entry: Pick<ModelEntry, 'namespace' | 'name' | 'stored'>,
): { key: string; model: string; what: string }[] {
  const { namespace, name, stored } = entry;
  const own = { key: `${namespace}/${name}`, model: name, what: `model ${name}` };
  const rows = stored.value.document.spec.traffic ?? [];
  const tags = rows.flatMap((row) => (row.tag === undefined ? [] : [row.tag]));
  const tagged = tags.map((tag) => ({
    key: `${namespace}/${hostLabel(name, tag)}`,
    model: name,
    what: `tag ${tag} of model ${name}`,
  }));
  return [own, ...tagged];
}

function setOrDelete<K extends keyof Parts>(target: Parts, key: K, value: Parts[K]): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

function readSplit({
  by,
  why,
  targets,
}: Readonly<Record<string, unknown>>): SplitInForce | undefined {
  const owner = SPLIT_OWNERS.find((name) => name === by);
  return owner && { by: owner, why: String(why), targets: readTargets(targets) };
}

function readTargets(value: unknown): RoutingTarget[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((row: unknown) => {
    if (typeof row !== 'object' || row === null) return [];
    const { revision, percent } = row as Partial<RoutingTarget>;
    return typeof revision === 'string' && typeof percent === 'number'
      ? [{ revision, percent }]
      : [];
  });
}

/** First index whose key is not before `from`. */
function lowerBound(keys: readonly string[], from: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
