import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadCatalog } from '#control/records/catalog.ts';
import { createMeasures } from '#control/measures/measures.ts';
import { ADMIN, createHarness, deployed, type Harness, program } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const MINUTE_MS = 60_000;

async function reader() {
  const { store, clock } = harness;
  return createMeasures({ store, catalog: await loadCatalog(store), clock });
}

async function tell(...measures: Parameters<Harness['control']['useCases']['addMeasures']>[3]) {
  await harness.control.useCases.addMeasures(ADMIN, 'default', 'm', measures);
}

test('minute by minute, oldest first, since a time', async () => {
  const revision = await deployed(harness, { revision: program({ name: 'v1' }) });
  const start = harness.clock.now();
  const value = { revision: 'v1', name: 'accuracy', value: 1 };
  await tell(value, value);
  await harness.pass(120);
  await tell(value, { ...value, name: 'loss' });
  const measures = await reader();
  const counts = async (since: number) =>
    (await measures.read(revision, 'accuracy', since)).map(({ count }) => count);
  expect(await counts(start)).toEqual([2, 1]);
  expect(await counts(start + MINUTE_MS)).toEqual([1]);
  expect(await counts(0)).toEqual([2, 1]);
  expect(await measures.read('default/m/v9', 'accuracy', 0)).toEqual([]);
});

test('nothing of an older revision with the same name', async () => {
  await deployed(harness, { revision: program({ name: 'v1' }) });
  await tell({ revision: 'v1', name: 'accuracy', value: 0.1 });
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  await harness.pass(60);
  const revision = await deployed(harness, { revision: program({ name: 'v1' }) });
  await tell({ revision: 'v1', name: 'accuracy', value: 0.9 });
  const measures = await reader();
  expect(await measures.read(revision, 'accuracy', 0)).toMatchObject([{ count: 1, sum: 0.9 }]);
});

test('of all revisions and of the model as a whole', async () => {
  await harness.apply({ revisions: [program({ name: 'v1' }), program({ name: 'v2' })] });
  await tell(
    { name: 'age', value: 1 },
    { revision: 'v1', name: 'age', value: 2 },
    { revision: 'v2', name: 'age', value: 4 },
  );
  const measures = await reader();
  const rows = await measures.readAll('default/m', 'age', 0);
  expect(rows.map(({ sum }) => sum)).toEqual([1, 2, 4]);
});

test('more rows than one page of the store', async () => {
  const revision = await deployed(harness, { revision: program({ name: 'v1' }) });
  const { store, clock } = harness;
  const minute = Math.floor(clock.now() / MINUTE_MS);
  const rows = Array.from({ length: 5003 }, (_, n) => ({
    namespace: 'default',
    model: 'm',
    revision: 'v1',
    name: 'accuracy',
    minute: minute + n,
    count: 1,
    sum: n,
    sumSquares: n * n,
    low: n,
    high: n,
    points: [[n, 1]] as const,
  }));
  await store.addMeasures(rows);
  clock.advance(5003 * MINUTE_MS);
  const read = await (await reader()).read(revision, 'accuracy', 0);
  expect(read.map(({ sum }) => sum)).toEqual(rows.map(({ sum }) => sum));
});
