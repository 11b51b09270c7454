import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeRows, TRAINED, writeRows } from './digit-rows.ts';
import {
  makeFolder,
  type Platform,
  processesFor,
  type Ran,
  removeFolder,
  runRouse,
  startPlatform,
} from './platform.ts';

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');

let platform: Platform;
let folder: string;

beforeEach(async () => {
  folder = await makeFolder();
  platform = await startPlatform(folder);
});
afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

const inFolder = (name: string): string => join(folder, name);

const DIGITS = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revisions: [{ name: v1, runtime: onnx, source: ${SAMPLES}/v1.onnx }]
  selection: { strategy: periodicBest, schedule: { every: 1s }, change: now }
`;

/** As if each was the next digit. */
function mislabel(row: string): string {
  const cells = row.split(',').map(Number);
  return [...cells.slice(0, -1), ((cells.at(-1) ?? 0) + 1) % 10].join(',');
}

function retrain(data: string): Promise<Ran> {
  const about = ['--model', 'digits', '--source', `${SAMPLES}/retrain.mjs`, '--data', data];
  return runProgram(...about, '--', process.execPath, '${SOURCE}');
}

/** What stands behind `--` is the program's. */
function runProgram(...args: string[]): Promise<Ran> {
  return runRouse(['--server', platform.control, 'program', ...args], folder);
}

async function untilServing(revision: string): Promise<void> {
  await platform.untilModel('digits', ({ status }) =>
    status.traffic.some((target) => target.revision === revision && target.percent === 100),
  );
}

test('a retrained model serves because it is better, and only then', async () => {
  await writeFile(inFolder('digits.yaml'), DIGITS);
  expect(await platform.rouse('apply', '-f', 'digits.yaml')).toMatchObject({ status: 0 });
  await untilServing('v1');
  const rows = makeRows();
  const [train, rest] = [rows.slice(0, TRAINED), rows.slice(TRAINED)];
  await writeRows(inFolder('good'), train, rest);
  await writeRows(inFolder('bad'), train.map(mislabel), rest);

  const good = await retrain('good');
  expect(good.stderr + good.stdout).toContain('it made revision 00002 of model digits');
  await untilServing('00002');
  const better = (await platform.rouse('why', 'digits')).stdout;
  expect(better).toMatch(/SelectionChanged 00002 +00002 has accuracy 0\.[89]\d* \(200 samples\)/);
  expect(better).toMatch(/RevisionCreated 00002 +made by job digits-\w+ from v1 with data sha256:/);

  // The file says nothing of it, and goes on saying so.
  expect((await platform.rouse('apply', '-f', 'digits.yaml')).stdout).toContain('unchanged');

  const bad = await retrain('bad');
  expect(bad.stderr + bad.stdout).toContain('it made revision 00003 of model digits');
  await until('the policy has said why it does not serve', async () =>
    /SelectionDecided +00002 has .* none is better .*: .*00003 has accuracy 0/.test(
      (await platform.rouse('why', 'digits')).stdout,
    ),
  );
  const { status } = await platform.model('digits');
  expect(status.traffic).toEqual([{ revision: '00002', percent: 100 }]);
  expect(status.revisions.map(({ name, state }) => [name, state])).toEqual([
    ['v1', 'Ready'],
    ['00002', 'Ready'],
    ['00003', 'Ready'],
  ]);
  const revisions = (await platform.rouse('get', 'revisions', 'digits')).stdout;
  expect(revisions).toMatch(/00003 .* 00002 by digits-/);
}, 180_000);

/** Counts how often it was begun. The first time it never ends, nor does what it has started. */
const TWICE = `import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
const { COUNT } = process.env;
appendFileSync(COUNT, 'begun\\n');
console.log('it runs');
if (readFileSync(COUNT, 'utf8').split('\\n').length > 2) process.exit(0);
spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
setInterval(() => {}, 1000);
`;

interface JobShape {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly failures: number;
}

async function job(): Promise<JobShape | undefined> {
  const response = await fetch(`${platform.control}/api/v1/jobs`);
  return ((await response.json()) as { items: JobShape[] }).items[0];
}

const begun = async (): Promise<number> =>
  (await readFile(inFolder('count'), 'utf8').catch(() => '')).split('\n').length - 1;

async function untilState(state: string): Promise<JobShape> {
  let found: JobShape | undefined;
  await until(`the job is ${state}`, async () => (found = await job())?.state === state);
  return found!;
}

async function startTwice(): Promise<void> {
  await writeFile(inFolder('twice.mjs'), TWICE);
  const about = ['--source', 'twice.mjs', '--env', `COUNT=${inFolder('count')}`, '--detach'];
  const ran = await runProgram(...about, '--', process.execPath, '${SOURCE}');
  expect(ran).toMatchObject({ status: 0 });
  await until('it has begun', async () => (await begun()) === 1);
}

test('a program is begun again when Rouse was killed, and never when it is done', async () => {
  await startTwice();
  await platform.end('SIGKILL');
  platform = await startPlatform(folder);
  const done = await untilState('Succeeded');
  expect(done).toMatchObject({ attempts: 2, failures: 0 });
  await platform.end('SIGKILL');
  platform = await startPlatform(folder);
  const after = await runProgram('--', 'true');
  expect(after.stdout).toContain('Succeeded: done in');
  expect(await begun()).toBe(2);
  // What the first one had started went with the first Rouse.
  expect(await processesFor('instance', folder)).toEqual([]);
}, 120_000);

test('a program that is cancelled ends with all that it has started', async () => {
  await startTwice();
  const { id } = (await job())!;
  await until('it has said so', async () =>
    (await platform.rouse('job', 'logs', id)).stdout.includes('it runs'),
  );
  expect((await platform.rouse('job', 'cancel', id)).stdout).toMatch(/ Cancelled /);
  await until(
    'nothing of it runs',
    async () => (await processesFor('instance', folder)).length === 0,
  );
  expect((await platform.rouse('job', 'pause', id)).stderr).toContain('it is Cancelled');
}, 120_000);

const DEEP = `import { mkdirSync } from 'node:fs';
for (let depth = 0; depth < 300; depth++) {
  mkdirSync('as deep as that');
  process.chdir('as deep as that');
}
`;

test('what a program leaves goes with its job, though it is deeper than a path can say', async () => {
  await writeFile(inFolder('deep.mjs'), DEEP);
  const ran = await runProgram('--source', 'deep.mjs', '--', process.execPath, '${SOURCE}');
  expect(ran.stdout).toContain('Succeeded: done in');
  const { id } = (await job())!;
  expect(await platform.rouse('job', 'delete', id)).toMatchObject({ status: 0 });
  expect(await readdir(inFolder('state/jobs/default'))).toEqual([]);
}, 120_000);

test('an image is refused on one machine, and beside a source', async () => {
  const image = ['--image', 'registry.example/train:1'];
  const refused = await runProgram(...image);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('runtime: found "image", expected command: images are for');
  const both = await runProgram(...image, '--source', 'train');
  expect(both.status).toBe(2);
  expect(both.stderr).toMatch(/--image.* cannot be used with .*--source/);
}, 120_000);
