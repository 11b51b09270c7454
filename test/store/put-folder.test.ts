import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packFolder } from '#lib/folder-stream.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { removeTree } from '#store/remove-tree.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putFolder } from '#store/put-folder.ts';
import { putPath } from '#store/put-path.ts';

let folder: string;
let from: Artifacts;
let to: Artifacts;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'put-folder-'));
  from = await createArtifactFolder({ folder: join(folder, 'from') });
  to = await createArtifactFolder({ folder: join(folder, 'to') });
});
afterEach(() => removeTree(folder));

async function pack(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const source = join(folder, 'source');
  await mkdir(source);
  for (const [name, text] of Object.entries(files)) await writeFile(join(source, name), text);
  const signal = new AbortController().signal;
  const { digest } = await putPath(from, source, { maxBytes: 1000, signal });
  const parts: Uint8Array[] = [];
  for await (const part of packFolder(from.read(digest), (each) => from.read(each))) {
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** In pieces that end anywhere. */
async function* piecesOf(bytes: Buffer, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const FILES = { 'a.txt': 'first', 'b.txt': 'second', empty: '' };

test('a folder that was packed is stored, under its digest', async () => {
  const bytes = await pack(FILES);
  const ref = await putFolder(to, piecesOf(bytes), { name: 'output', maxBytes: 1000 });
  expect(ref).toMatchObject({ name: 'output', kind: 'folder', size: 11 });
  const path = await to.materialize(ref);
  for (const [name, text] of Object.entries(FILES)) {
    expect(await readFile(join(path, name), 'utf8')).toBe(text);
  }
  const again = { name: 'output', maxBytes: 1000, expected: ref.digest };
  expect(await putFolder(to, piecesOf(bytes, 1000), again)).toEqual(ref);
});

test.each([
  ['ends early', (bytes: Buffer) => bytes.subarray(0, -1), {}, 'unavailable'],
  [
    'has changed',
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(0)]),
    {},
    'invalid',
  ],
  ['is no folder', () => Buffer.from('{"files": 1}\n'), {}, 'invalid'],
  ['has more bytes than it may', (bytes: Buffer) => bytes, { maxBytes: 10 }, 'too_large'],
  ['has another digest', (bytes: Buffer) => bytes, { expected: 'a'.repeat(64) }, 'invalid'],
] as const)('one that %s is refused', async (_, change, options, code) => {
  const bytes = change(await pack(FILES));
  const stored = putFolder(to, piecesOf(bytes), { name: 'output', maxBytes: 1000, ...options });
  await expect(stored).rejects.toMatchObject({ code });
});
