import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { digestOf, encodeManifest, manifestOf } from '#lib/folder-manifest.ts';

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-manifest-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('lists files sorted, with mode, size and digest, without what is never part of a model', async () => {
  const folder = await folderWith({
    'model.py': 'pass',
    'a/b.txt': '',
    'a-b.txt': 'ü',
    '.git/HEAD': 'x',
    'sub/node_modules/x.js': 'x',
    'sub/__pycache__/m.pyc': 'x',
    '.venv/bin/python': 'x',
    '.hidden': 'h',
  });
  await chmod(join(folder, 'model.py'), 0o755);
  const file = (path: string, text: string, executable = false) => ({
    path,
    executable,
    size: Buffer.byteLength(text),
    digest: sha256(text),
  });
  expect(await manifestOf(folder)).toEqual({
    files: [
      file('.hidden', 'h'),
      file('a-b.txt', 'ü'),
      file('a/b.txt', ''),
      file('model.py', 'pass', true),
    ],
  });
});

test('the text of a manifest does not depend on the order of its keys', () => {
  const digest = sha256('');
  expect(encodeManifest({ files: [{ digest, size: 0, executable: false, path: 'a' }] })).toBe(
    `{"files":[{"path":"a","executable":false,"size":0,"digest":"${digest}"}]}`,
  );
});

test('an empty folder has an empty manifest', async () => {
  expect(encodeManifest(await manifestOf(await folderWith({})))).toBe('{"files":[]}');
});

test.each(['link', 'sub/link'])('a symbolic link is refused by name: %s', async (path) => {
  const folder = await folderWith({ 'a.txt': 'a', 'sub/b.txt': 'b' });
  await symlink('a.txt', join(folder, path));
  await expect(manifestOf(folder)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(`${join(folder, path)} is a symbolic link`),
  });
});

test('a pipe is refused, not read for ever', async () => {
  const folder = await folderWith({});
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await expect(manifestOf(folder)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('pipe is neither a file nor a folder'),
  });
});

test('too many files and too many bytes are refused with the limit', async () => {
  const folder = await folderWith({ a: 'xx', 'b/c': 'xx', d: 'xx' });
  const attempt = (files: number, bytes: number) => manifestOf(folder, { files, bytes });
  await expect(attempt(2, 6)).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringContaining('more than 2 files'),
  });
  await expect(attempt(3, 5)).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringContaining('more than 5 bytes'),
  });
  await expect(attempt(3, 6)).resolves.toMatchObject({ files: { length: 3 } });
});

test('reading ends with the signal', async () => {
  const folder = await folderWith({ a: 'hello' });
  const signal = AbortSignal.abort();
  await expect(manifestOf(folder, { signal })).rejects.toThrow('aborted');
  await expect(digestOf(join(folder, 'a'), signal)).rejects.toThrow('aborted');
});

test('the digest of a file is that of its bytes', async () => {
  const folder = await folderWith({ a: 'hello' });
  expect(await digestOf(join(folder, 'a'))).toEqual({ size: 5, digest: sha256('hello') });
});
