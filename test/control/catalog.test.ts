import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Catalog, loadCatalog } from '#control/records/catalog.ts';
import type { ModelRecord } from '#domain/records.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store, Write } from '#store/store.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { ADMIN, program } from './harness.ts';

let store: Store;
let catalog: Catalog;
beforeEach(async () => {
  store = await createSqliteStore({ path: ':memory:', clock: createFakeClock() });
  catalog = await loadCatalog(store);
});
afterEach(() => store.close());

const KEY = 'default/m';

function model(generation: number): Write {
  const value: ModelRecord = {
    document: {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Model',
      metadata: { name: 'm' },
      spec: { revision: program() },
    },
    generation,
    createdAt: 0,
    updatedAt: 0,
    updatedBy: ADMIN,
  };
  return { kind: 'model', key: KEY, value };
}

test('of two writes that are told in the wrong order the later one stays', async () => {
  const [first, second] = [model(1), model(2)];
  const versions = [await store.write([first]), await store.write([second])] as const;
  expect([...catalog.accept([second], versions[1])]).toEqual([KEY]);
  expect([...catalog.accept([first], versions[0])]).toEqual([]);
  expect(catalog.model(KEY)?.stored).toEqual(await store.get('model', KEY));
});

test('what is deleted does not come back by a write from before', async () => {
  const made = await store.write([model(1)]);
  const deletion: Write = { kind: 'model', key: KEY, value: undefined };
  const deleted = await store.write([deletion]);
  catalog.accept([deletion], deleted);
  catalog.accept([model(1)], made);
  expect(catalog.model(KEY)).toBeUndefined();
  const again = await store.write([model(3)]);
  catalog.accept([model(3)], again);
  expect(catalog.model(KEY)?.stored).toEqual(await store.get('model', KEY));
});
