import { readdirSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runJob } from '#batch/runner/run.ts';
import { type BatchRequest, batchSpec } from '#domain/job.ts';
import { systemClock } from '#lib/clock.ts';
import { type Doubler, startDoubler } from '../shards/doubler.ts';

/** A job from its first row to the names of its files. */

let model: Doubler;
let folder: string;

beforeAll(async () => {
  model = await startDoubler();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-run-'));
});

afterEach(async () => {
  model.onRequest(() => {});
  await rm(folder, { recursive: true });
});

afterAll(() => model.close());

const inFolder = (name: string): string => join(folder, name);

async function score(values: readonly number[], output: Partial<BatchRequest['output']> = {}) {
  await writeFile(inFolder('in.csv'), ['x', ...values, ''].join('\n'));
  return await runJob(
    {
      namespace: 'default',
      id: 'job',
      spec: batchSpec.parse({
        model: 'm',
        input: { location: inFolder('in.csv') },
        output: { path: inFolder('out.csv'), columns: ['x'], ...output },
        batchSize: 2,
      }),
      model: {
        url: model.url,
        proxyProtocol: false,
        headers: {},
        inputs: [{ name: 'x', datatype: 'FP64', shape: [-1] }],
        outputs: [],
        binary: false,
        timeoutMs: 10_000,
      },
      folder: inFolder('jobs'),
      bounds: { closed: [] },
    },
    {
      clock: systemClock,
      roll: () => 0,
      tell: () => {},
      onSlots: (set) => set(1),
      onShards: () => {},
    },
  );
}

/** What there is beside the input and the folder of the job. */
async function outputs(): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name !== 'in.csv' && name !== 'jobs').toSorted();
}

test('an input that is changed while it is read has no output', async () => {
  model.onRequest(async (count) => {
    if (count === 2) await appendFile(inFolder('in.csv'), '9\n');
  });
  await expect(score([1, 2, 3, 4, 5, 6])).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('the input was changed while it was read') as string,
  });
  expect(await outputs()).toEqual([]);
});

test('what takes the place of an output with failed rows takes theirs, too', async () => {
  await writeFile(inFolder('out.csv'), 'old');
  await writeFile(inFolder('out.csv.failed.jsonl'), 'old');
  await score([1, 2], { replace: true });
  expect(await outputs()).toEqual(['out.csv']);
  expect(await readFile(inFolder('out.csv'), 'utf8')).toBe('x,y\n1,2.0\n2,4.0\n');
});

test('where somebody else was first, no failed rows are put beside theirs', async () => {
  model.onRequest(async (count) => {
    if (count === 1) await writeFile(inFolder('out.csv'), 'theirs');
  });
  await expect(score([1, 2, -3])).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('made by somebody else') as string,
  });
  expect(await readFile(inFolder('out.csv'), 'utf8')).toBe('theirs');
  expect(await outputs()).not.toContain('out.csv.failed.jsonl');
});

describe('refused before the model is asked', () => {
  test.each([
    ['a link that leads nowhere', 'out.csv', false, /exists already/],
    ['a folder that would have to go', 'sub', true, /sub is a folder; expected the name of a file/],
    [
      'a name that is too long with what a job adds',
      `${'n'.repeat(240)}.csv`,
      false,
      /a shorter name/,
    ],
  ])('%s', async (_what, name, replace, message) => {
    await symlink('/nowhere', inFolder('out.csv'));
    await mkdir(inFolder('sub'));
    let asked = 0;
    model.onRequest((count) => void (asked = count));
    const output = { path: inFolder(name), format: 'csv', replace } as const;
    await expect(score([1, 2], output)).rejects.toThrow(message);
    expect(asked).toBe(0);
  });
});

test('what scoring took is collected before the parts are put together', async () => {
  const { gc } = globalThis;
  const found: string[][] = [];
  globalThis.gc = Object.assign(() => {
    found.push(readdirSync(inFolder('jobs')).filter((name) => name.startsWith('part-')));
    return Promise.resolve();
  }, gc);
  try {
    await score([1, 2, 3]);
  } finally {
    if (gc) globalThis.gc = gc;
    else delete globalThis.gc;
  }
  expect(found).toEqual([['part-000001']]);
});
