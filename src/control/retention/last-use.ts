import { modelOf, partsOfRevisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Catalog } from '../records/catalog.ts';
import { rowsOf } from '../records/pages.ts';

/**
 * When a request came last to each model and revision, in memory, and in the store a little later.
 *
 * 1. A time only grows, as long as there is what it is of; that of a model also when the revision goes that it came from.
 * 2. What `save` has not written yet is lost in a crash, after which all begins to count anew: see `watch.ts`.
 */
export interface LastUse {
  /** A request waits, runs, or has just ended. */
  used(revision: string): void;
  ofModel(model: string): number | undefined;
  ofRevision(revision: string): number | undefined;
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  /** It was deleted, and is back: what was known of it then. */
  restore(key: string, at: number): void;
  save(): Promise<void>;
}

const PREFIX = 'last-use/';
/** Records of one write: bounds for how long control is away. */
const CHUNK = 100;

interface Times {
  model: number;
  readonly revisions: Map<string, number>;
}

export async function loadLastUse(options: {
  store: Store;
  catalog: Catalog;
  clock: Clock;
}): Promise<LastUse> {
  const { store, catalog, clock } = options;
  const times = new Map<string, Times>();
  const changed = new Set<string>();
  for await (const row of rowsOf(store, 'memory', PREFIX)) {
    const model = row.key.slice(PREFIX.length);
    if (catalog.model(model)) times.set(model, readTimes(row));
    else changed.add(model);
  }

  function note(model: string, revision: string | undefined, at: number): void {
    const known = times.get(model) ?? { model: 0, revisions: new Map() };
    times.set(model, known);
    changed.add(model);
    known.model = Math.max(known.model, at);
    if (revision === undefined) return;
    known.revisions.set(revision, Math.max(known.revisions.get(revision) ?? 0, at));
  }

  function makeWrite(model: string): Write {
    const known = times.get(model);
    const value = known && {
      model: known.model,
      revisions: Object.fromEntries(known.revisions),
    };
    return { kind: 'memory', key: PREFIX + model, value };
  }

  return {
    used(key) {
      if (!catalog.revision(key)) return;
      note(modelOf(key), partsOfRevisionKey(key).revision, Math.floor(clock.now()));
    },
    ofModel: (model) => times.get(model)?.model,
    ofRevision: (key) => times.get(modelOf(key))?.revisions.get(partsOfRevisionKey(key).revision),
    refresh(model) {
      const known = times.get(model);
      if (!known) return;
      const entry = catalog.model(model);
      if (!entry) {
        times.delete(model);
        changed.add(model);
      }
      for (const name of known.revisions.keys()) {
        if (!entry?.revisions.has(name)) known.revisions.delete(name);
      }
    },
    restore(key, at) {
      const { revision } = partsOfRevisionKey(key);
      note(modelOf(key), revision === '' ? undefined : revision, at);
    },
    async save() {
      while (changed.size > 0) {
        const models = [...changed].slice(0, CHUNK);
        const writes = models.map(makeWrite);
        for (const model of models) changed.delete(model);
        try {
          await store.write(writes);
        } catch (error) {
          for (const model of models) changed.add(model);
          throw error;
        }
      }
    },
  };
}

/** What cannot be read counts as never. */
function readTimes({ value }: Stored<'memory'>): Times {
  const { model, revisions } = value;
  const entries = Object.entries(typeof revisions === 'object' ? { ...revisions } : {});
  return {
    model: typeof model === 'number' ? model : 0,
    revisions: new Map(entries.filter((entry): entry is [string, number] => isTime(entry[1]))),
  };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
