import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN, COMMAND, makeModel } from '#test/api/server.ts';
import { until } from '#test/until.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  const { useCases } = world.server;
  const model = makeModel('m', COMMAND, { selection: { strategy: 'manual' } });
  await useCases.applyModel(ADMIN, model);
  await useCases.applyModel(ADMIN, makeModel('plain', COMMAND));
  const ready = async (name: string): Promise<boolean> => {
    const { revisions } = await useCases.getModel(ADMIN, 'default', 'm');
    return revisions.some(({ value }) => value.name === name && value.state === 'Ready');
  };
  await until('v1 is ready', () => ready('v1'));
  const next = { ...COMMAND, name: 'v2', env: { A: 'b' } };
  await useCases.applyModel(ADMIN, makeModel('m', next, { selection: { strategy: 'manual' } }));
  await until('v2 is ready', () => ready('v2'));
});
afterAll(async () => {
  await world.close();
});

const rowsOf = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));

test('by hand, and what was chosen', async () => {
  expect(rowsOf((await world.run(['select', 'm'])).stdout)).toEqual([
    ['MODEL', 'm'],
    ['STRATEGY', 'manual'],
    ['SERVING', 'v1'],
    ['LOOKED', expect.any(String)],
    ['WHY', 'what serves stays, until another one is chosen by hand'],
  ]);
  const chosen = await world.run(['select', 'm', 'v2']);
  expect(chosen).toMatchObject({ status: 0, stderr: '' });
  expect(rowsOf(chosen.stdout)).toContainEqual(['SERVING', 'v2']);
  expect(rowsOf(chosen.stdout)).toContainEqual(['WHY', 'chosen by local; at once']);
  const status = JSON.parse((await world.run(['get', 'models', 'm', '-o', 'json'])).stdout).status;
  expect(status.selection).toMatchObject({ strategy: 'manual', serving: 'v2' });
  expect(status.traffic).toEqual([{ revision: 'v2', percent: 100 }]);
  expect((await world.run(['why', 'm'])).stdout).toMatch(
    /SelectionChanged v2 +chosen by local; at once/,
  );
});

test('in the quiet time: at once, where nobody has come for long, and else later', async () => {
  const run = await world.run(['select', 'm', 'v1', '--when-quiet']);
  expect(rowsOf(run.stdout)).toContainEqual(['WANTED', expect.stringMatching(/^v1 since /)]);
  await world.run(['select', 'm', 'v2']);
});

test.each([
  [['select', 'm', 'v9'], 'there is no revision v9 of model default/m'],
  [['select', 'plain', 'v1'], 'model default/plain has no spec.selection'],
  [['select', 'plain'], 'model default/plain has no spec.selection'],
  [['select', 'nowhere'], 'there is no model default/nowhere'],
])('%j is refused', async (words, message) => {
  const run = await world.run(words);
  expect(run.status).toBe(1);
  expect(run.stderr).toContain(message);
});
