import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRandom } from '#test/fuzz/random.ts';
import { until } from '#test/until.ts';
import { drawPicture } from './drawn-digits.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  processesFor,
  type Ran,
  removePlatform,
  runRouse,
  startPlatform,
} from './platform.ts';

/** Jobs with `rouse serve --workers 2`, where control is a process that may die alone. */

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');
const ROWS = 4000;

let platform: Platform;

beforeEach(async () => {
  const args = ['--workers', '2', '--pool', '0'];
  platform = await startPlatform(await makeFolder(), { args, env: ENV });
});
afterEach(() => removePlatform(platform));

const inFolder = (name: string): string => join(platform.folder, name);

interface JobShape {
  readonly state: string;
  readonly reason: string;
  readonly attempts?: number;
  readonly failures?: number;
  readonly rows?: { readonly done: number };
}

/** The only job; undefined while control is away. */
async function job(): Promise<JobShape | undefined> {
  const response = await fetch(`${platform.control}/api/v1/jobs`).catch(() => undefined);
  if (!response?.ok) return undefined;
  return ((await response.json()) as { items: JobShape[] }).items[0];
}

async function untilState(state: string): Promise<JobShape> {
  let found: JobShape | undefined;
  await until(`the job is ${state}`, async () => (found = await job())?.state === state);
  return found!;
}

/** Everything else has the processor before a batch: on a busy machine only the next row can be waited for. */
async function untilFurther(): Promise<JobShape> {
  const before = (await job())?.rows?.done ?? 0;
  let found: JobShape | undefined;
  await until('more rows are done', async () => {
    found = await job();
    return found?.state === 'Succeeded' || (found?.rows?.done ?? 0) > before;
  });
  return found!;
}

async function kill(role: 'control' | 'data plane'): Promise<void> {
  const [pid] = await processesFor(role, platform.folder);
  process.kill(pid!, 'SIGKILL');
}

/** Counts how often it was begun. The first time it never ends, nor does what it has started. */
const TWICE = `import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
const { COUNT } = process.env;
appendFileSync(COUNT, process.pid + '\\n');
if (readFileSync(COUNT, 'utf8').split('\\n').length > 2) process.exit(0);
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
appendFileSync(COUNT + '.child', String(child.pid));
setInterval(() => {}, 1000);
`;

/** What stands behind `--` is the program's. */
function runProgram(...args: string[]): Promise<Ran> {
  return runRouse(['--server', platform.control, 'program', ...args], platform.folder);
}

const linesOf = async (name: string): Promise<string[]> =>
  (await readFile(inFolder(name), 'utf8').catch(() => '')).split('\n').filter(Boolean);

test('a program ends with control when that is killed, with all that it has started, and is begun again by the next', async () => {
  await writeFile(inFolder('twice.mjs'), TWICE);
  const about = ['--source', 'twice.mjs', '--env', `COUNT=${inFolder('count')}`, '--detach'];
  const ran = await runProgram(...about, '--', process.execPath, '${SOURCE}');
  expect(ran).toMatchObject({ status: 0 });
  await until('it has started another', async () => (await linesOf('count.child')).length === 1);
  const first = [...(await linesOf('count')), ...(await linesOf('count.child'))].map(Number);
  await kill('control');
  expect(await untilState('Succeeded')).toMatchObject({ attempts: 2, failures: 0 });
  expect(await linesOf('count')).toHaveLength(2);
  const left = new Set(await processesFor('instance', platform.folder));
  expect(first.filter((pid) => left.has(pid))).toEqual([]);
}, 120_000);

const PIXELS = Array.from({ length: 64 }, (_, pixel) => `p${pixel}`);
const DIGITS = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revision: { name: v2, runtime: onnx, source: ${SAMPLES}/v2.onnx }
`;

test('a batch goes on where it was when control and a data plane are killed: each row once, in order', async () => {
  const random = createRandom(1, 0);
  const rows = Array.from({ length: ROWS }, (_, id) =>
    [id, ...drawPicture(random).pixels.map((pixel) => pixel.toFixed(2))].join(','),
  );
  await writeFile(inFolder('in.csv'), [['id', ...PIXELS].join(','), ...rows].join('\n'));
  await writeFile(inFolder('digits.yaml'), DIGITS);
  expect(await platform.rouse('apply', '-f', 'digits.yaml')).toMatchObject({ status: 0 });
  const args = ['--columns', 'id', '--map', 'image=p*', '--batch-size', '4', '--detach'];
  const ran = await platform.rouse('batch', 'digits', 'in.csv', '-o', 'out.csv', ...args);
  expect(ran).toMatchObject({ status: 0 });
  for (const role of ['control', 'data plane'] as const) {
    await untilFurther();
    await kill(role);
  }
  let now = await untilFurther();
  while (now.state !== 'Succeeded') now = await untilFurther();
  const [, ...scored] = (await readFile(inFolder('out.csv'), 'utf8')).trimEnd().split('\n');
  expect(scored.map((row) => Number(row.split(',')[0]))).toEqual(
    Array.from({ length: ROWS }, (_, id) => id),
  );
}, 300_000);
