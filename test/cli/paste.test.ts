import { execFile } from 'node:child_process';
import { cp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';

/** What `rouse deploy` says to try is run as a person would: pasted into a shell, against a real platform. */

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples');
const runFile = promisify(execFile);
/** Nothing, but what is told of a start that takes longer than most. */
const NEWS = expect.stringMatching(/^(\S+ \S+ is (Preparing|Proving): .*\n)*$/);
let platform: Platform;

beforeAll(async () => {
  const folder = await makeFolder();
  await cp(SAMPLES, join(folder, 'samples'), { recursive: true });
  platform = await startPlatform(folder);
});
afterAll(async () => {
  await platform.end();
  await removeFolder(platform.folder);
});

async function tryOut(...args: string[]): Promise<unknown> {
  const run = await platform.rouse('deploy', ...args, '--idle', '1s');
  expect(run).toMatchObject({ status: 0, stderr: NEWS });
  const command = run.stdout.trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse((await runFile('sh', ['-c', command])).stdout);
}

test('onnx', async () => {
  expect(await tryOut('digits', 'samples/digits/v1.onnx')).toMatchObject({
    outputs: [{ name: 'label', shape: [1] }, { name: 'probabilities' }],
  });
});

test('a function with load and predict', async () => {
  expect(await tryOut('embed', 'samples/embed/index.ts')).toMatchObject({
    outputs: [{ name: 'embedding', shape: [1, 256] }],
  });
});

test('a function with predict that declares no inputs', async () => {
  const module = 'export default { predict: ({ instances }) => instances.map((one) => one + 1) };';
  await writeFile(join(platform.folder, 'free.ts'), module);
  expect(await tryOut('free', 'free.ts')).toEqual({ predictions: [1] });
});

test('a fetch handler', async () => {
  expect(await tryOut('chat', 'samples/chat')).toEqual({
    usage: expect.stringContaining('POST /v1/chat/completions'),
  });
});

test('a command', async () => {
  const applied = await platform.rouse('apply', '-f', 'samples/lang.yaml');
  expect(applied).toMatchObject({ status: 0, stderr: NEWS });
  await writeFile(join(platform.folder, 'samples/lang/NOTES'), 'changed');
  expect(await tryOut('lang', 'samples/lang', '--runtime', 'command')).toEqual({
    usage: 'POST a text',
  });
  // What is at an address that others serve.
  expect(await tryOut('far', `${platform.requests}/models/default/lang/`)).toEqual({
    usage: 'POST a text',
  });
});

test('python (needs python3); what it takes is known while it sleeps, after a restart too', async () => {
  expect(await tryOut('sentiment', 'samples/sentiment')).toMatchObject({
    outputs: [{ name: 'score' }, { name: 'label', data: ['neutral'] }],
  });
  const asked = ['invoke', 'sentiment', '-d', '{"instances": ["not bad at all"]}'];
  expect(JSON.parse((await platform.rouse(...asked)).stdout)).toMatchObject({
    predictions: [{ label: 'positive' }],
  });
  for (const restart of [false, true]) {
    if (restart) {
      await platform.end();
      platform = await startPlatform(platform.folder);
    }
    await platform.untilModel('sentiment', ({ status }) => status.state === 'Asleep');
    const answer = await fetch(`${platform.requests}/v2/models/sentiment`);
    expect(await answer.json()).toMatchObject({
      platform: 'rouse_python',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      outputs: [{ name: 'score' }, { name: 'label' }],
    });
    expect((await platform.model('sentiment')).status.state).toBe('Asleep');
  }
});
