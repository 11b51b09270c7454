import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putPath } from '#store/put-path.ts';

let folder: string;
let artifacts: Artifacts;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-put-'));
  artifacts = await createArtifactFolder({ folder: join(folder, 'artifacts') });
  await mkdir(join(folder, 'rows/more'), { recursive: true });
  await writeFile(join(folder, 'rows/a.csv'), 'a\n1\n');
  await writeFile(join(folder, 'rows/more/b.csv'), 'b\n2\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const LIMITS = { maxBytes: 1000, signal: new AbortController().signal };
const put = (path: string, limits = LIMITS) => putPath(artifacts, join(folder, path), limits);

test('a folder is kept as it was when it was read', async () => {
  const ref = await put('rows');
  expect(ref).toMatchObject({ kind: 'folder', name: 'rows', size: 8 });
  await writeFile(join(folder, 'rows/a.csv'), 'a\n1\n3\n');
  const copy = await artifacts.materialize(ref);
  expect(await readFile(join(copy, 'a.csv'), 'utf8')).toBe('a\n1\n');
  expect(await readFile(join(copy, 'more/b.csv'), 'utf8')).toBe('b\n2\n');
  expect((await put('rows')).digest).not.toBe(ref.digest);
});

test('the same content is the same, and has the name that it has here', async () => {
  const first = await put('rows/a.csv');
  await writeFile(join(folder, 'other.csv'), 'a\n1\n');
  expect(await put('other.csv')).toEqual({ ...first, name: 'other.csv' });
  expect((await put('rows')).digest).toBe((await put('rows')).digest);
});

test('what cannot be kept is refused', async () => {
  await expect(put('none')).rejects.toMatchObject({ code: 'not_found' });
  await expect(put('rows/a.csv', { ...LIMITS, maxBytes: 2 })).rejects.toMatchObject({
    code: 'too_large',
  });
  await symlink('/etc/hostname', join(folder, 'rows/link'));
  await expect(put('rows')).rejects.toThrow('is a symbolic link');
  const signal = AbortSignal.abort();
  await expect(put('rows/a.csv', { ...LIMITS, signal })).rejects.toThrow('aborted');
});
