import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

let platform: Platform | undefined;

afterEach(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

/** Content goes soon after nothing has it. */
const QUICK = ['--retention-artifacts-unused-for', '1s', '--retention-undo', '1h'];

async function start(folder: string, ...more: readonly string[]): Promise<Platform> {
  platform = await startPlatform(folder, { args: [...QUICK, ...more] });
  return platform;
}

/** A model that answers a word, with what its file says of retention. */
async function deploy(to: Platform, name: string, retention: string, word = name): Promise<void> {
  await writeFile(join(to.folder, `${name}.ts`), `export default () => new Response('${word}');\n`);
  await writeFile(
    join(to.folder, `${name}.yaml`),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: { runtime: function, source: ./${name}.ts }
  keepAlive: { policy: fixed, idle: 0s }
  retention: ${retention}
`,
  );
  expect(await to.rouse('apply', '-f', `${name}.yaml`)).toMatchObject({ status: 0 });
  await to.untilModel(name, ({ status }) => status.revisions.at(-1)?.state === 'Ready');
}

async function ask(of: Platform, name: string): Promise<string> {
  const response = await fetch(`${of.requests}/models/default/${name}/`);
  return `${response.status} ${await response.text()}`;
}

async function isGone(of: Platform, name: string): Promise<boolean> {
  const response = await fetch(`${of.control}/api/v1/namespaces/default/models/${name}`);
  return response.status === 404;
}

/** What is stored as content: how often. */
async function countContent(of: Platform): Promise<number> {
  const folder = join(of.folder, 'state', 'artifacts', 'content');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

test('a model that nobody asks goes, comes back with its revisions, and answers again', async () => {
  const folder = await makeFolder();
  const first = await start(folder);
  await deploy(first, 'kept', '{ pinned: true }');
  await deploy(first, 'idle', '{}', 'first');
  await deploy(first, 'idle', '{}', 'second');
  expect(await ask(first, 'idle')).toBe('200 second');
  expect(await first.end()).toBe(0);

  const rouse = await start(folder, '--retention-models-unused-for', '2s');
  await until('the model is gone', () => isGone(rouse, 'idle'));
  expect(await ask(rouse, 'idle')).toMatch(/^404 /);
  const events = await fetch(`${rouse.control}/api/v1/events?type=ModelDeleted`);
  expect(await events.text()).toMatch(/unused for .* of 2s: the last request came/);
  expect((await rouse.rouse('get', 'models', '--deleted')).stdout).toMatch(
    /idle +model +00001,00002 .* system:retention +unused for/,
  );
  // Its content waits for it.
  expect(await countContent(rouse)).toBe(3);
  expect(await rouse.end()).toBe(0);

  const again = await start(folder);
  expect(await again.rouse('restore', 'idle')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^idle {2}restored {2}00002/),
  });
  expect(await ask(again, 'idle')).toBe('200 second');
  expect(await again.rouse('traffic', 'idle', '00001=100')).toMatchObject({ status: 0 });
  expect(await ask(again, 'idle')).toBe('200 first');
  expect(await ask(again, 'kept')).toBe('200 kept');
}, 180_000);

test('content of what is gone is gone from the folder, that of what is left is there', async () => {
  const rouse = await start(await makeFolder());
  await deploy(rouse, 'kept', '{ pinned: true }');
  await deploy(rouse, 'gone', '{ undo: 1h }');
  expect(await countContent(rouse)).toBe(2);
  expect(await rouse.rouse('delete', 'gone', '--now')).toMatchObject({ status: 0 });
  await until('its content is gone', async () => (await countContent(rouse)) === 1);
  expect(await rouse.rouse('restore', 'gone')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('rouse get models --deleted'),
  });
  const plan = await rouse.rouse('gc', '--dry-run', '--all');
  expect(plan.stdout).toMatch(/keep +model +default\/kept +- +it is pinned/);
  expect(await rouse.rouse('gc')).toMatchObject({ status: 0, stdout: '' });
  // Neither in memory nor anywhere else: what it runs from is made anew of the stored content.
  const copies = join(rouse.folder, 'state', 'artifacts', 'files');
  await rouse.end();
  await rm(copies, { recursive: true, force: true });
  const again = await start(rouse.folder);
  expect(await ask(again, 'kept')).toBe('200 kept');
}, 180_000);

test('of a job that has ended its record goes, its output stays', async () => {
  const rouse = await start(await makeFolder(), '--retention-jobs-unused-for', '5s');
  const samples = resolve(import.meta.dirname, '../../functions/samples/digits');
  await rouse.rouse('deploy', 'digits', `${samples}/v1.onnx`);
  const pixels = Array.from({ length: 64 }, (_, pixel) => `p${pixel}`);
  const row = pixels.map(() => '0').join(',');
  await writeFile(join(rouse.folder, 'in.csv'), [pixels.join(','), row].join('\n'));
  const args = ['digits', 'in.csv', '-o', 'out.csv', '--map', 'image=p*'];
  expect(await rouse.rouse('batch', ...args)).toMatchObject({ status: 0 });
  const output = await readFile(join(rouse.folder, 'out.csv'), 'utf8');
  expect(output.split('\n')).toHaveLength(3);

  await until('its record is gone', async () => {
    const response = await fetch(`${rouse.control}/api/v1/jobs`);
    return ((await response.json()) as { items: unknown[] }).items.length === 0;
  });
  const { stdout } = await rouse.rouse('why', 'digits');
  expect(stdout).toMatch(/JobDeleted +\S+ +job digits-\w+: ended .* ago \(goes after 5s\)/);
  expect(await readFile(join(rouse.folder, 'out.csv'), 'utf8')).toBe(output);
}, 180_000);
