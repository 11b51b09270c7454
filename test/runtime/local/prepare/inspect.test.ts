import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Workload } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { createLocalSetup, pidsMarked, type LocalSetup } from '../harness.ts';

let setup: LocalSetup;
afterEach(() => setup.close());

async function model(behaviour: string): Promise<Workload> {
  setup = await createLocalSetup();
  const artifact = await setup.putText('m.onnx', behaviour);
  return setup.workload({ runtime: 'onnx', source: 'm.onnx' }, artifact);
}

test('what the inspection found is given', async () => {
  const found = await model('plain').then((workload) => setup.runtime.inspect(workload));
  expect(found).toEqual({
    platform: 'test',
    inputs: [],
    outputs: [],
    properties: { seen: 'plain' },
  });
});

test('a changed model is stored, and started instead of the source', async () => {
  const workload = await model('changed');
  const inspection = await setup.runtime.inspect(workload);
  expect(inspection.served?.name).toBe('m.onnx');
  if (!inspection.served) throw new Error('nothing was changed');
  const path = await setup.artifacts.materialize(inspection.served);
  expect(await readFile(path, 'utf8')).toBe('changed bytes');
  expect(await readdir(join(setup.folder, 'runtime', 'tmp'))).toEqual([]);
});

test.each([
  ['refused', 'm.onnx: this is no ONNX file'],
  [
    'crash',
    /^m\.onnx could not be inspected: the inspection ended by signal SIGSEGV .*\n +about to crash$/,
  ],
  ['garbage', 'm.onnx could not be inspected: the inspection gave no result'],
  ['silent', 'm.onnx could not be inspected: the inspection gave no result'],
])('an inspection that ends as %s is a Fault', async (behaviour, message) => {
  const workload = await model(behaviour);
  await expect(setup.runtime.inspect(workload)).rejects.toMatchObject({
    code: 'invalid',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
});

test('it cannot name a file of somebody else as the changed model', async () => {
  const workload = await model('elsewhere');
  await expect(setup.runtime.inspect(workload)).rejects.toMatchObject({ code: 'internal' });
});

test('an inspection that hangs is ended, and the next one runs', async () => {
  const clock = createFakeClock();
  setup = await createLocalSetup({ clock });
  const artifact = await setup.putText('m.onnx', 'hang');
  const workload = setup.workload({ runtime: 'onnx', source: 'm.onnx' }, artifact);
  const inspecting = setup.runtime.inspect(workload).catch((error: unknown) => error);
  await until('it runs', () => pidsMarked(setup.stateId).length > 0);
  clock.advance(120_000);
  expect(await inspecting).toMatchObject({
    code: 'invalid',
    message: 'm.onnx could not be inspected: the inspection took longer than 2m',
  });
  expect(pidsMarked(setup.stateId)).toEqual([]);
});

test('what is not looked into has its runtime as platform', async () => {
  setup = await createLocalSetup();
  const workload = setup.workload({ runtime: 'command', args: ['x'] });
  expect((await setup.runtime.inspect(workload)).platform).toBe('rouse_command');
});
