import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSlots, readStatus, shardFolder, writeSlots } from '#batch/runner/shards/files.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-files-'));
});

afterEach(() => rm(folder, { recursive: true }));

test('what nobody has written is not there', async () => {
  expect(await readStatus(folder, 0)).toBeUndefined();
});

test('what cannot be read now does not end the job: it may be read later', async () => {
  const path = join(shardFolder(folder, 0), 'status.json');
  await mkdir(path, { recursive: true });
  await expect(readStatus(folder, 0)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(`${path} cannot be read: EISDIR`) as string,
  });
});

test('what cannot be written is as it was before', async () => {
  await writeSlots(folder, 2);
  await symlink('/dev/full', join(folder, '.slots.json.partial'));
  await expect(writeSlots(folder, 3)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('slots.json cannot be written: ENOSPC') as string,
  });
  expect(await readSlots(folder)).toBe(2);
});
