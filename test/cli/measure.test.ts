import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { MeasureRecord } from '#domain/measures.ts';
import { ADMIN, COMMAND, makeModel } from '#test/api/server.ts';
import { createWorld, lines, type World } from './world.ts';

let world: World;
let model = '';
let count = 0;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world.close();
});
beforeEach(async () => {
  model = `m${count++}`;
  await world.server.useCases.applyModel(ADMIN, makeModel(model, COMMAND));
});

type Sums = Pick<MeasureRecord, 'revision' | 'name' | 'count' | 'sum'>;

/** Of all minutes: another may begin while a test runs. */
async function stored(): Promise<Sums[]> {
  const to = Math.floor(Date.now() / 60_000);
  const query = { namespace: 'default', model, from: 0, to, limit: 1000 };
  const found = new Map<string, Sums>();
  for (const { revision, name, count: many, sum } of await world.server.store.measures(query)) {
    const before = found.get(`${revision} ${name}`) ?? { count: 0, sum: 0 };
    const all = { revision, name, count: before.count + many, sum: before.sum + sum };
    found.set(`${revision} ${name}`, all);
  }
  return [...found.values()];
}

test('scores of a revision', async () => {
  const run = await world.run([
    'measure',
    model,
    'revision=v1',
    'accuracy=0.75',
    'f1=0.5',
    'count=8',
  ]);
  expect(run).toEqual({ status: 0, stdout: `${model}  2 added\n`, stderr: '' });
  expect(await stored()).toEqual([
    { revision: 'v1', name: 'accuracy', count: 8, sum: 6 },
    { revision: 'v1', name: 'f1', count: 8, sum: 4 },
  ]);
});

test('a label and a prediction, told twice', async () => {
  const told = ['measure', model, 'revision=v1', 'label=3', 'prediction=3', 'id=r1'];
  expect((await world.run(told)).stdout).toBe(`${model}  1 added\n`);
  expect((await world.run(told)).stdout).toBe(`${model}  0 added · 1 counted before\n`);
  expect(await stored()).toEqual([{ revision: 'v1', name: 'accuracy', count: 1, sum: 1 }]);
});

test('JSON lines of a file, in more than one call', async () => {
  const rows = Array.from({ length: 1200 }, (_, n) => ({
    id: `r${n}`,
    label: n % 2,
    prediction: 1,
  }));
  await world.write('labels.jsonl', `${rows.map((row) => JSON.stringify(row)).join('\n')}\n\n`);
  const run = await world.run(['measure', model, 'revision=v1', '-f', 'labels.jsonl']);
  expect(run).toMatchObject({ status: 0, stdout: `${model}  1200 added\n` });
  expect(await stored()).toMatchObject([{ count: 1200, sum: 600 }]);
});

test('JSON lines that come in', async () => {
  const stdin = lines([
    '{"name": "input.age", "value": 40}\n{"name": "inp',
    'ut.age", "value": 2}\n',
  ]);
  const run = await world.run(['measure', model, '-f', '-'], { stdin });
  expect(run).toMatchObject({ status: 0, stdout: `${model}  2 added\n` });
  expect(await stored()).toEqual([{ revision: '', name: 'input.age', count: 2, sum: 42 }]);
});

test.each([
  [['accuracy'], 2, 'accuracy: expected name=number'],
  [['accuracy=high'], 2, 'accuracy=high: expected a number'],
  [['revision=v1'], 1, 'a value, or a label and a prediction'],
  [['revision=v9', 'accuracy=1'], 1, 'a revision of the model: v1'],
  [['-f', 'nowhere.jsonl'], 1, 'nowhere.jsonl cannot be read'],
])('%j is refused', async (words, status, message) => {
  const run = await world.run(['measure', model, ...words]);
  expect(run.status).toBe(status);
  expect(run.stderr).toContain(message);
  expect(await stored()).toEqual([]);
});

test('a line that is wrong is named, and what was added before', async () => {
  const good = '{"name": "a", "value": 1}\n';
  await world.write('some.jsonl', `${good}nonsense\n`);
  const first = await world.run(['measure', model, '-f', 'some.jsonl']);
  expect(first.stderr).toContain('some.jsonl:2: expected a JSON object');
  expect(await stored()).toEqual([]);
  await world.write('more.jsonl', `${good.repeat(500)}{"name": "a"}\n`);
  const second = await world.run(['measure', model, '-f', 'more.jsonl']);
  expect(second.stderr).toContain('500 added before: more.jsonl:501: ');
  expect(await stored()).toMatchObject([{ count: 500 }]);
});

test('what was measured can be seen', async () => {
  await world.run(['measure', model, 'revision=v1', 'accuracy=0.75', 'count=8']);
  await world.run(['measure', model, 'input.age=40']);
  const run = await world.run(['get', 'measures', model]);
  expect(
    run.stdout
      .split('\n')
      .slice(0, 3)
      .map((line) => line.split(/\s{2,}/)),
  ).toEqual([
    ['MODEL', 'REVISION', 'MEASURE', 'COUNT', 'MEAN', 'LOW', 'HIGH', 'LAST'],
    [model, '-', 'input.age', '1', '40', '40', '40', expect.any(String)],
    [model, 'v1', 'accuracy', '8', '0.75', '0.75', '0.75', expect.any(String)],
  ]);
});
