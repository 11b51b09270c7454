import { afterEach, expect, test, vi } from 'vitest';
import { loadCatalog } from '#control/records/catalog.ts';
import { createJournal } from '#control/records/journal.ts';
import { loadPartState, type PartState } from '#control/records/part-state.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';

interface Count {
  readonly count: number;
}

function readCount(value: unknown): Count | undefined {
  const { count } = Object(value);
  return typeof count === 'number' ? { count } : undefined;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0)) await close();
});

async function makeStore(): Promise<Store> {
  const store = await createSqliteStore({ path: ':memory:', clock: createFakeClock() });
  closing.push(() => store.close());
  return store;
}

/** Over a store in which model `default/m` is. */
async function load(store: Store): Promise<PartState<Count>> {
  const catalog = await loadCatalog(store);
  const journal = createJournal({ store, catalog, clock: createFakeClock(), log: silentLog });
  const known = { model: () => ({}) as never };
  const options = { part: 'test', store, journal, catalog: known, log: silentLog };
  return await loadPartState({ ...options, read: readCount });
}

test('what was committed is there after a restart', async () => {
  const store = await makeStore();
  const state = await load(store);
  expect(state.get('default/m')).toBeUndefined();
  await state.commit('default/m', { count: 1 });
  await state.commit('default/m', { count: 2 });
  const again = await load(store);
  expect(again.get('default/m')).toEqual({ count: 2 });
  expect([...again.entries()]).toEqual([['default/m', { count: 2 }]]);
  await again.commit('default/m', undefined);
  expect((await load(store)).get('default/m')).toBeUndefined();
});

test('who has read an older version cannot write', async () => {
  const store = await makeStore();
  const one = await load(store);
  const other = await load(store);
  await one.commit('default/m', { count: 1 });
  await expect(other.commit('default/m', { count: 2 })).rejects.toMatchObject({
    code: 'precondition_failed',
  });
  expect(other.get('default/m')).toBeUndefined();
});

test('the same again is not written, but what goes with it is', async () => {
  const store = await makeStore();
  const state = await load(store);
  await state.commit('default/m', { count: 1 });
  const write = vi.spyOn(store, 'write');
  await state.commit('default/m', { count: 1 });
  expect(write).not.toHaveBeenCalled();
  const other = { kind: 'memory', key: 'other', value: { a: 1 } } as const;
  await state.commit('default/m', { count: 1 }, { writes: [other] });
  expect(await store.get('memory', 'other')).toMatchObject({ value: { a: 1 } });
});

test('nothing is written when what goes with it is refused', async () => {
  const store = await makeStore();
  const state = await load(store);
  const write = { kind: 'memory', key: 'other', expected: 7, value: { a: 1 } } as const;
  await expect(state.commit('default/m', { count: 1 }, { writes: [write] })).rejects.toThrow(
    'other',
  );
  expect(state.get('default/m')).toBeUndefined();
  expect((await load(store)).get('default/m')).toBeUndefined();
});

test('what cannot be read is logged, taken as not there, and written over', async () => {
  const store = await makeStore();
  await store.write([{ kind: 'memory', key: 'test/default/m', value: { count: 'many' } }]);
  const warned = vi.spyOn(silentLog, 'warn');
  const state = await load(store);
  expect(state.get('default/m')).toBeUndefined();
  expect(warned).toHaveBeenCalledOnce();
  await state.commit('default/m', { count: 1 });
  expect((await load(store)).get('default/m')).toEqual({ count: 1 });
});

test('the document of a model goes with it, and at the start if it went before', async () => {
  const store = await makeStore();
  const log = silentLog;
  const catalog = await loadCatalog(store);
  const journal = createJournal({ store, catalog, clock: createFakeClock(), log });
  const models = new Set(['default/m']);
  const known = { model: (key: string) => (models.has(key) ? ({} as never) : undefined) };
  const options = { part: 'test', store, journal, catalog: known, log, read: readCount };
  const state = await loadPartState(options);
  await state.commit('default/m', { count: 1 });
  models.clear();
  expect(state.get('default/m')).toEqual({ count: 1 });
  await loadPartState(options);
  await until('it is gone', async () => !(await store.get('memory', 'test/default/m')));
});
