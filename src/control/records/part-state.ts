import { isDeepStrictEqual } from 'node:util';
import type { Log } from '#lib/log.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Catalog } from './catalog.ts';
import type { Journal, NewEvent } from './journal.ts';
import { rowsOf } from './pages.ts';

/**
 * What a part of control remembers of models, one document each, so that it survives a restart in the middle.
 *
 * 1. What is shown was acknowledged by the store. A document is written against the version that was read.
 * 2. The documents of a model go when it does.
 */
export interface PartState<T> {
  /** By key of the model. */
  get(model: string): T | undefined;
  entries(): IterableIterator<[string, T]>;
  /** undefined: deleted. All or nothing with `more`; the same as before is not written again. */
  commit(model: string, value: T | undefined, more?: More): Promise<void>;
}

interface More {
  readonly writes?: readonly Write[];
  readonly events?: readonly NewEvent[];
}

interface Known<T> {
  readonly value: T;
  readonly version: number;
}

/**
 * Reads what was written before, under `PART/namespace/model` in the store's `memory`. `read` makes it of the JSON;
 * undefined: it is of another version or damaged, is logged, and taken as not there.
 */
export async function loadPartState<T extends object>(options: {
  part: string;
  store: Store;
  journal: Journal;
  catalog: Pick<Catalog, 'model'>;
  log: Log;
  read: (value: unknown) => T | undefined;
}): Promise<PartState<T>> {
  const { part, store, journal, catalog, log, read } = options;
  const prefix = `${part}/`;
  const known = new Map<string, Known<T>>();
  /** Versions of documents that are no good: they are written over. */
  const unfit = new Map<string, number>();
  for await (const row of rowsOf(store, 'memory', prefix)) take(row);

  function take({ key, value: stored, version }: Stored<'memory'>): void {
    const model = key.slice(prefix.length);
    const value = read(stored);
    if (value) known.set(model, { value, version });
    else {
      unfit.set(model, version);
      log.warn({ key }, 'what was remembered cannot be read: it is taken as not there');
    }
  }

  async function commit(model: string, value: T | undefined, more: More = {}): Promise<void> {
    const { writes = [], events = [] } = more;
    const before = known.get(model);
    if (writes.length + events.length === 0 && isDeepStrictEqual(before?.value, value)) return;
    const expected = before?.version ?? unfit.get(model) ?? 0;
    const stored = value && Object.fromEntries(Object.entries(value));
    const write: Write = { kind: 'memory', key: prefix + model, expected, value: stored };
    const [version = 0] = await journal.commit([write, ...writes], events);
    unfit.delete(model);
    if (value) known.set(model, { value, version });
    else known.delete(model);
  }

  function forgetDeleted(model: string): void {
    if (catalog.model(model) || !known.has(model)) return;
    commit(model, undefined).catch((error: unknown) =>
      log.warn({ model, part, error }, 'what was remembered of a deleted model stays'),
    );
  }

  journal.onChange(forgetDeleted);
  for (const model of known.keys()) forgetDeleted(model);
  return {
    get: (model) => known.get(model)?.value,
    *entries() {
      for (const [model, { value }] of known) yield [model, value];
    },
    commit,
  };
}
