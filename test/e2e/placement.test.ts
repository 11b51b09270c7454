import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  makeFolder,
  type Platform,
  processesFor,
  removeFolder,
  startPlatform,
} from './platform.ts';

/** Models that need more memory than there is, with real processes. */

const MODEL = `export default async (request: Request) => {
  await new Promise((resolve) => setTimeout(resolve, Number(new URL(request.url).search.slice(1))));
  return new Response('served');
};
`;

let platform: Platform;

afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(platform.folder);
});

/** Room for so many of these models. */
async function start(names: readonly string[], places: number): Promise<void> {
  const folder = await makeFolder();
  await writeFile(join(folder, 'model.ts'), MODEL);
  const documents = names.map(
    (name) => `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: { name: v1, runtime: function, source: ./model.ts, resources: { memory: 100Mi }, timeouts: { drain: 1s } }
  scaling: { initial: 0, max: 1 }
`,
  );
  await writeFile(join(folder, 'models.yaml'), documents.join('---\n'));
  platform = await startPlatform(folder, {
    args: ['--memory', `${places * 100}Mi`, '--pool', '0'],
  });
  expect(await platform.rouse('apply', '-f', 'models.yaml')).toMatchObject({ status: 0 });
}

async function ask(name: string, ms: number): Promise<string> {
  const response = await fetch(`${platform.requests}/models/default/${name}/?${ms}`);
  return `${response.status} ${await response.text()}`;
}

test('six models with room for two, asked in turns: all are served, and no more than two run at any time', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  await start(names, 2);
  const asked = Array.from({ length: 24 }, (_, n) => ask(names[n % names.length]!, 20));
  let isOver = false;
  const all = Promise.all(asked).finally(() => (isOver = true));
  let most = 0;
  while (!isOver) {
    most = Math.max(most, (await processesFor('instance', platform.folder)).length);
  }
  expect(await all).toEqual(asked.map(() => '200 served'));
  expect(most).toBe(2);
}, 180_000);

test('one that is always asked gives way to another, and its long request ends as it should', async () => {
  await start(['always', 'other'], 1);
  // Longer than the drain time, the patience of the other, and the turn of this one.
  const long = ask('always', 12_000);
  let isOver = false;
  const callers = Array.from({ length: 3 }, async () => {
    const answers: string[] = [];
    while (!isOver) answers.push(await ask('always', 200));
    return answers;
  });
  const other = ask('other', 0);
  expect([await long, await other]).toEqual(['200 served', '200 served']);
  isOver = true;
  const answers = (await Promise.all(callers)).flat();
  expect(new Set(answers)).toEqual(new Set(['200 served']));
  const { stdout } = await platform.rouse('why', 'always');
  expect(stdout).toMatch(
    /no instance: default\/other\/v1 has waited \S+ for memory, and its turn of/,
  );
  expect(stdout).toMatch(/WaitingForMemory .*behind default\/other\/v1/);
}, 180_000);
