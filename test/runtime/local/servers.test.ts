import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { programs } from '#serve/local-runtime.ts';
import { until } from '#test/until.ts';
import { createLocalSetup, type LocalSetup } from './harness.ts';
import { ask } from '../request.ts';

/** The runtime with the model servers of `functions/`: both sides of `src/domain/launch.ts`. */
const own = (path: string): string =>
  fileURLToPath(new URL(`../../../functions/${path}`, import.meta.url));

let setup: LocalSetup;

beforeEach(async () => {
  setup = await createLocalSetup({
    programs: programs(),
  });
});
afterEach(() => setup.close());

test('an ONNX model is inspected, started and serves', async () => {
  const artifact = await setup.putFile(own('samples/digits/v1.onnx'));
  const workload = setup.workload({ runtime: 'onnx', source: 'v1.onnx' }, artifact);
  const inspection = await setup.runtime.inspect(workload);
  expect(inspection.inputs.length).toBeGreaterThan(0);
  const { address } = await setup.ready({ ...workload, inspection });
  expect((await ask(address, '/v2/health/ready')).status).toBe(200);
});

test('a file that is no ONNX model is refused by name', async () => {
  const artifact = await setup.putText('notes.onnx', 'these are notes');
  const workload = setup.workload({ runtime: 'onnx', source: 'notes.onnx' }, artifact);
  await expect(setup.runtime.inspect(workload)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/^notes\.onnx is no ONNX model/),
  });
});

test('a function answers', async () => {
  const artifact = await setup.putText('hello.ts', 'export default () => new Response("hello");');
  const workload = setup.workload({ runtime: 'function', source: 'hello.ts' }, artifact);
  const inspection = await setup.runtime.inspect(workload);
  const { address } = await setup.ready({ ...workload, inspection });
  expect((await ask(address)).body).toBe('hello');
});

test('what an instance writes into its source is not there at the next start', async () => {
  const module = `import { chmodSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
const own = fileURLToPath(import.meta.url);
chmodSync(own, 0o600);
writeFileSync(own, 'export default () => new Response("changed");');
export default () => new Response('original');`;
  const artifact = await setup.putText('model.ts', module);
  const workload = setup.workload({ runtime: 'function', source: 'model.ts' }, artifact);
  await setup.runtime.prepare(workload);
  const ready = () => setup.runtime.instances().find(({ state }) => state === 'ready');
  for (let start = 0; start < 2; start += 1) {
    await setup.runtime.want(workload, { min: 0, max: 1, desired: 1 });
    await until('it is ready', () => ready() !== undefined);
    expect((await ask(ready()?.address)).body).toBe('original');
    await setup.runtime.want(workload, { min: 0, max: 1, desired: 0 });
    for (const { id } of setup.runtime.instances()) setup.runtime.release(id);
    await until('it has gone', () => setup.runtime.instances().length === 0);
  }
});

test('a function that cannot be loaded fails with its error', async () => {
  const artifact = await setup.putText('bad.ts', 'throw new Error("no weights here");');
  const workload = setup.workload({ runtime: 'function', source: 'bad.ts' }, artifact);
  expect((await setup.failed(workload)).reason).toContain('no weights here');
});

test('a function says its inputs when it is ready', async () => {
  const module = `export default {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }], predict: ({ x }) => x };`;
  const artifact = await setup.putText('model.ts', module);
  const workload = setup.workload({ runtime: 'function', source: 'model.ts' }, artifact);
  expect((await setup.ready(workload)).metadata).toEqual({
    platform: 'rouse_function',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
    outputs: [],
  });
});

test('a Python model serves and says its outputs', async () => {
  const model = `
outputs = [{"name": "y", "datatype": "FP64", "shape": [-1], "labels": ["a", 2]}]
def predict(inputs):
    return inputs
`;
  const artifact = await setup.putFolder({ 'model.py': model });
  const workload = setup.workload({ runtime: 'python', source: 'app' }, artifact);
  const { address, metadata } = await setup.ready(workload);
  expect((await ask(address, '/v2/health/ready')).status).toBe(200);
  expect(metadata).toEqual({
    platform: 'rouse_python',
    inputs: [],
    outputs: [{ name: 'y', datatype: 'FP64', shape: [-1], labels: ['a', 2] }],
  });
});
