import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { type ArtifactsUnderTest, chunks, testArtifacts } from './artifacts-conformance.ts';
import { withTinyDisk } from './tiny-disk.ts';

async function create(): Promise<ArtifactsUnderTest & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-artifacts-'));
  let time: number | undefined;
  const clock = { ...systemClock, now: () => time ?? systemClock.now() };
  const pathOf = (digest: string) => join(folder, 'content', digest.slice(0, 2), digest);
  return {
    folder,
    artifacts: await createArtifactFolder({ folder, clock }),
    setTime: (ms) => void (time = ms),
    async corrupt(digest) {
      const path = pathOf(digest);
      const bytes = await readFile(path);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      await chmod(path, 0o600);
      await writeFile(path, bytes);
    },
    async count() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const inside = entries.filter((entry) => entry.isFile());
      expect(inside.filter((entry) => entry.parentPath.startsWith(join(folder, 'tmp')))).toEqual(
        [],
      );
      return inside.filter((entry) => entry.parentPath.startsWith(join(folder, 'content'))).length;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

testArtifacts('folder', create);

test('what a crash left on its way is removed at the next start', async () => {
  const { folder, close } = await create();
  onTestFinished(close);
  await writeFile(join(folder, 'tmp', 't-left'), 'half');
  await createArtifactFolder({ folder });
  expect(await readdir(join(folder, 'tmp'))).toEqual([]);
});

test('a project that the folder lies in does not say what its JavaScript is', async () => {
  const { folder, close } = await create();
  onTestFinished(close);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const artifacts = await createArtifactFolder({ folder: join(folder, 'artifacts') });
  const programs = [
    "require('node:fs'); console.log('ran')",
    "import 'node:fs'; console.log('ran')",
  ];
  for (const program of programs) {
    const options = { name: 'server.js', kind: 'file', maxBytes: 99 } as const;
    const path = await artifacts.materialize(await artifacts.put(chunks(program), options));
    const { stdout } = await promisify(execFile)(process.execPath, [path]);
    expect(stdout).toBe('ran\n');
  }
});

test('a folder that is a file is refused with its name', async () => {
  const { folder, close } = await create();
  onTestFinished(close);
  const path = join(folder, 'file');
  await writeFile(path, '');
  await expect(createArtifactFolder({ folder: path })).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining(path),
  });
});

test('a full disk is storage_full, and what was there stays', async (context) => {
  await withTinyDisk(context, async (disk) => {
    const artifacts = await createArtifactFolder({ folder: join(disk, 'artifacts') });
    const small = await artifacts.put(chunks('kept'), { name: 'a', kind: 'file', maxBytes: 9 });
    const block = Buffer.alloc(2 ** 20, 1);
    const put = artifacts.put(chunks(...Array.from({ length: 8 }, () => block)), {
      name: 'big',
      kind: 'file',
      maxBytes: 2 ** 30,
    });
    await expect(put).rejects.toMatchObject({ code: 'storage_full' });
    expect(await readdir(join(disk, 'artifacts', 'tmp'))).toEqual([]);
    expect(await readFile(await artifacts.materialize(small), 'utf8')).toBe('kept');
  });
});
