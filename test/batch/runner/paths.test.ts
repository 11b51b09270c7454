import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkPaths, checkRead } from '#batch/runner/paths.ts';
import { batchSpec } from '#domain/job.ts';

/** A server of Knative: jobs have one folder, its own files are in others. */
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-paths-'));
  for (const name of ['state', 'batch/.rouse', 'batch/sub']) {
    await mkdir(join(folder, name), { recursive: true });
  }
  for (const name of ['state/rouse.db', 'batch/in.csv', 'batch/.rouse/part']) {
    await writeFile(join(folder, name), 'id,x\n');
  }
  await symlink(join(folder, 'state'), join(folder, 'batch/link'));
});

afterEach(() => rm(folder, { recursive: true }));

/** Paths that do not begin with / are those of the folder of jobs. */
async function check(input: string, output: string): Promise<void> {
  const batch = join(folder, 'batch');
  const at = (path: string): string => (path.startsWith('/') ? path : `${batch}/${path}`);
  const spec = batchSpec.parse({
    model: 'm',
    input: { location: at(input) },
    output: { path: at(output) },
  });
  await checkPaths(spec, boundsOf(batch));
}

const boundsOf = (batch: string) => ({
  closed: [join(folder, 'state'), join(batch, '.rouse')],
  within: batch,
});

test.each([
  ['an input', '/etc/passwd', 'out.csv', '/etc/passwd is out of bounds: expected a path in'],
  ['an input by a detour', '../state/rouse.db', 'out.csv', 'rouse.db is out of bounds'],
  ['an input by a link', 'link/rouse.db', 'out.csv', 'data folder of Rouse'],
  ['one that is not there', '/nowhere.csv', 'out.csv', '/nowhere.csv is out of bounds'],
  ['an output', 'in.csv', '/tmp/out.csv', '/tmp/out.csv is out of bounds'],
  ['an output by a detour', 'in.csv', 'sub/../../out.csv', 'out.csv is out of bounds'],
  ['an output by a link', 'in.csv', 'link/out.csv', 'data folder of Rouse'],
  ['a file of a job', 'in.csv', '.rouse/out.csv', 'data folder of Rouse'],
  ['what a job has made', '.rouse/part', 'out.csv', 'data folder of Rouse'],
])('%s out of bounds is refused', async (_, input, output, why) => {
  await expect(check(input, output)).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining(why) as string,
  });
});

test.each([
  ['outside', '../state', 'state is out of bounds'],
  ['behind a link', 'link', 'data folder of Rouse'],
  ['of a job', '.rouse/part', 'lies in the data folder of Rouse'],
  ['with the files of all jobs in it', '.', 'holds the data folder of Rouse'],
])('data %s is not read', async (_, path, why) => {
  const batch = join(folder, 'batch');
  await expect(checkRead(`${batch}/${path}`, boundsOf(batch))).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining(why) as string,
  });
});

test('data within is read', async () => {
  const batch = join(folder, 'batch');
  for (const name of ['in.csv', 'sub', 'missing']) {
    await checkRead(`${batch}/${name}`, boundsOf(batch));
  }
});

test('what lies within is taken', async () => {
  await check('in.csv', 'sub/out.csv');
  await check('sub/../*.csv', 'out.csv');
});
