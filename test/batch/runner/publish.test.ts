import { link, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { publish } from '#batch/runner/publish.ts';

let folder: string;
let finished: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-publish-'));
  finished = join(folder, '.out.csv.job');
  path = join(folder, 'out.csv');
  await writeFile(finished, 'mine');
});

afterEach(() => rm(folder, { recursive: true }));

async function expectMine(): Promise<void> {
  expect(await readdir(folder)).toEqual(['out.csv']);
  expect(await readFile(path, 'utf8')).toBe('mine');
}

test('gives the name, and does nothing the second time', async () => {
  await publish(finished, path, false);
  await publish(finished, path, false);
  await expectMine();
});

test('goes on where a crash came between both names', async () => {
  await link(finished, path);
  await publish(finished, path, false);
  await expectMine();
});

test('leaves what somebody else has made meanwhile', async () => {
  await writeFile(path, 'theirs');
  await expect(publish(finished, path, false)).rejects.toMatchObject({ code: 'conflict' });
  expect(await readFile(path, 'utf8')).toBe('theirs');
});

test('replaces what is there when it shall', async () => {
  await writeFile(path, 'theirs');
  await publish(finished, path, true);
  await expectMine();
});
