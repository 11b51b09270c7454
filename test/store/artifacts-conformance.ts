import { createHash } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createReadStream } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { ArtifactRef } from '#domain/records.ts';
import { encodeManifest, manifestOf } from '#lib/folder-manifest.ts';
import type { Artifacts } from '#store/artifacts.ts';

/** An implementation under test, and what a suite cannot do through the interface. */
export interface ArtifactsUnderTest {
  readonly artifacts: Artifacts;
  /** Changes a byte of the stored content behind the interface's back. */
  readonly corrupt: (digest: string) => Promise<void>;
  /** How many files of content are kept, whatever their name. */
  readonly count: () => Promise<number>;
  /** What the time is from now on, ms since the epoch. */
  readonly setTime: (ms: number) => void;
  readonly close: () => Promise<void>;
}

const MAX = 2 ** 30;

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

export async function* chunks(...parts: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

async function readAll(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

async function* broken(): AsyncIterable<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the client left');
}

/** Uploads a folder as the command line does: the files, then the manifest. */
async function pushFolder(artifacts: Artifacts, folder: string): Promise<ArtifactRef> {
  const manifest = await manifestOf(folder);
  for (const { path, digest } of manifest.files) {
    await artifacts.put(createReadStream(join(folder, path)), {
      name: basename(path),
      kind: 'file',
      expected: digest,
      maxBytes: MAX,
    });
  }
  const text = encodeManifest(manifest);
  return await artifacts.put(chunks(text), {
    name: 'model',
    kind: 'folder',
    expected: sha256(text),
    maxBytes: MAX,
  });
}

export function testArtifacts(name: string, create: () => Promise<ArtifactsUnderTest>): void {
  describe(`artifacts: ${name}`, () => {
    const ends: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const end of ends.splice(0)) await end();
    });

    async function setUp(): Promise<ArtifactsUnderTest> {
      const made = await create();
      ends.push(() => made.close());
      return made;
    }

    async function folderWith(files: Record<string, string>): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), 'rouse-source-'));
      ends.push(() => rm(folder, { recursive: true, force: true }));
      for (const [path, text] of Object.entries(files)) {
        await mkdir(join(folder, path, '..'), { recursive: true });
        await writeFile(join(folder, path), text, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
      }
      return folder;
    }

    test('a file comes back as it was, under its digest and name', async () => {
      const { artifacts } = await setUp();
      const ref = await artifacts.put(chunks('hel', '', 'lo'), {
        name: 'a.onnx',
        kind: 'file',
        maxBytes: 5,
      });
      expect(ref).toEqual({ digest: sha256('hello'), size: 5, name: 'a.onnx', kind: 'file' });
      expect(await artifacts.stat(ref.digest)).toEqual(ref);
      expect((await readAll(artifacts.read(ref.digest))).toString()).toBe('hello');
    });

    test('an empty file is content like any other', async () => {
      const { artifacts } = await setUp();
      const ref = await artifacts.put(chunks(), { name: 'empty', kind: 'file', maxBytes: 0 });
      expect(ref.size).toBe(0);
      expect(await readFile(await artifacts.materialize(ref))).toEqual(Buffer.alloc(0));
    });

    test('a large file is streamed in and out', async () => {
      const { artifacts } = await setUp();
      const chunk = Buffer.alloc(2 ** 20, 7);
      const ref = await artifacts.put(chunks(...Array.from({ length: 48 }, () => chunk)), {
        name: 'weights.bin',
        kind: 'file',
        maxBytes: 48 * 2 ** 20,
      });
      let size = 0;
      for await (const part of artifacts.read(ref.digest)) {
        expect(part.length).toBeLessThanOrEqual(2 ** 20);
        size += part.length;
      }
      expect(size).toBe(48 * 2 ** 20);
    });

    test('the same content is kept once, under the newest name', async () => {
      const { artifacts, count } = await setUp();
      const put = (name: string) =>
        artifacts.put(chunks('same'), { name, kind: 'file', maxBytes: MAX });
      await Promise.all([put('a'), put('b'), put('c')]);
      const last = await put('d');
      expect(await count()).toBe(1);
      expect(await artifacts.stat(last.digest)).toEqual(last);
    });

    test('another digest than expected is refused, and nothing is kept', async () => {
      const { artifacts, count } = await setUp();
      const put = artifacts.put(chunks('hello'), {
        name: 'a',
        kind: 'file',
        expected: sha256('other'),
        maxBytes: MAX,
      });
      await expect(put).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining(sha256('other')),
      });
      expect(await count()).toBe(0);
      expect(await artifacts.stat(sha256('hello'))).toBeUndefined();
    });

    test('more than maxBytes is refused while it streams, and nothing is kept', async () => {
      const { artifacts, count } = await setUp();
      let asked = 0;
      async function* endless(): AsyncIterable<Uint8Array> {
        for (;;) {
          asked++;
          yield Buffer.alloc(1000);
        }
      }
      const put = artifacts.put(endless(), { name: 'big', kind: 'file', maxBytes: 10_000 });
      await expect(put).rejects.toMatchObject({ code: 'too_large' });
      expect(asked).toBe(11);
      expect(await count()).toBe(0);
    });

    test('a stream that breaks leaves nothing', async () => {
      const { artifacts, count } = await setUp();
      await expect(
        artifacts.put(broken(), { name: 'a', kind: 'file', maxBytes: MAX }),
      ).rejects.toThrow('the client left');
      expect(await count()).toBe(0);
    });

    test.each(['', '.', '..', 'a/b', '../x', 'a\0b', 'x'.repeat(256)])(
      'the name %j is refused',
      async (name) => {
        const { artifacts } = await setUp();
        const options = { name, kind: 'file', maxBytes: MAX } as const;
        await expect(artifacts.put(chunks('x'), options)).rejects.toMatchObject({
          code: 'invalid',
        });
        const ref = await artifacts.put(chunks('x'), { ...options, name: 'fine' });
        await expect(artifacts.materialize({ ...ref, name })).rejects.toMatchObject({
          code: 'invalid',
        });
      },
    );

    test.each(['', 'abc', `../../${'a'.repeat(58)}`, 'A'.repeat(64)])(
      'the digest %j is refused',
      async (digest) => {
        const { artifacts } = await setUp();
        await expect(artifacts.stat(digest)).rejects.toMatchObject({ code: 'invalid' });
        await expect(artifacts.remove(digest)).rejects.toMatchObject({ code: 'invalid' });
        await expect(readAll(artifacts.read(digest))).rejects.toMatchObject({ code: 'invalid' });
      },
    );

    test('what is not here is not found', async () => {
      const { artifacts } = await setUp();
      const digest = sha256('nothing');
      expect(await artifacts.stat(digest)).toBeUndefined();
      await expect(readAll(artifacts.read(digest))).rejects.toMatchObject({ code: 'not_found' });
      for (const kind of ['file', 'folder'] as const) {
        await expect(
          artifacts.materialize({ digest, size: 1, name: 'a', kind }),
        ).rejects.toMatchObject({ code: 'not_found' });
      }
    });

    test('materialize gives the file under its name, read-only, the same path each time', async () => {
      const { artifacts } = await setUp();
      const ref = await artifacts.put(chunks('hello'), {
        name: 'digits.onnx',
        kind: 'file',
        maxBytes: MAX,
      });
      const [path, again] = await Promise.all([
        artifacts.materialize(ref),
        artifacts.materialize(ref),
      ]);
      expect(basename(path)).toBe('digits.onnx');
      expect(again).toBe(path);
      expect(await readFile(path, 'utf8')).toBe('hello');
      expect((await stat(path)).mode & 0o222).toBe(0);
      const other = await artifacts.materialize({ ...ref, name: 'other.onnx' });
      expect(basename(other)).toBe('other.onnx');
      expect(await readFile(path, 'utf8')).toBe('hello');
    });

    test('a folder comes back as a tree, executables executable, all read-only', async () => {
      const { artifacts } = await setUp();
      const folder = await folderWith({
        'model.py': 'def predict(x): return x\n',
        'run.sh': '#!/bin/sh\n',
        'data/labels.txt': 'a\nb\n',
        'data/deep/copy.py': 'def predict(x): return x\n',
      });
      const ref = await pushFolder(artifacts, folder);
      expect(ref).toMatchObject({ kind: 'folder', size: 64, name: 'model' });
      const paths = await Promise.all([artifacts.materialize(ref), artifacts.materialize(ref)]);
      expect(new Set(paths).size).toBe(1);
      const [path] = paths;
      // Not made anew: an instance may be at work in it.
      const { ino } = await stat(path);
      await artifacts.materialize(ref);
      expect((await stat(path)).ino).toBe(ino);
      expect((await readdir(path, { recursive: true })).sort()).toEqual(
        ['data', 'data/deep', 'data/deep/copy.py', 'data/labels.txt', 'model.py', 'run.sh'].sort(),
      );
      expect(await readFile(join(path, 'data/deep/copy.py'), 'utf8')).toContain('predict');
      expect((await stat(join(path, 'run.sh'))).mode & 0o777).toBe(0o555);
      expect((await stat(join(path, 'model.py'))).mode & 0o777).toBe(0o444);
      expect((await stat(join(path, 'data'))).mode & 0o222).toBe(0);
      expect((await stat(path)).mode & 0o222).toBe(0);
      expect(await manifestOf(path)).toEqual(await manifestOf(folder));
    });

    test('a manifest that names content which is not here, or has another size, is refused', async () => {
      const { artifacts } = await setUp();
      const file = await artifacts.put(chunks('12345'), { name: 'a', kind: 'file', maxBytes: MAX });
      const put = (digest: string, size: number) =>
        artifacts.put(
          chunks(
            encodeManifest({ files: [{ path: 'weights.bin', executable: false, size, digest }] }),
          ),
          { name: 'f', kind: 'folder', maxBytes: MAX },
        );
      const refused = { code: 'invalid', message: expect.stringContaining('weights.bin') };
      await expect(put(sha256('absent'), 5)).rejects.toMatchObject(refused);
      await expect(put(file.digest, 4)).rejects.toMatchObject(refused);
      await expect(put(file.digest, 5)).resolves.toMatchObject({ kind: 'folder', size: 5 });
    });

    test.each([
      ['parent', ['../evil']],
      ['parent inside', ['a/../../evil']],
      ['absolute', ['/etc/evil']],
      ['empty part', ['a//b']],
      ['dot', ['./a']],
      ['backslash', ['a\\b']],
      ['zero byte', ['a\0b']],
      ['twice', ['a', 'a']],
      ['unsorted', ['b', 'a']],
      ['a file as a folder', ['a', 'a/b']],
      ['a file as a folder, not beside it', ['a', 'a-b', 'a/b']],
    ])('a manifest with a bad path is refused: %s', async (_, paths) => {
      const { artifacts } = await setUp();
      const { digest } = await artifacts.put(chunks('x'), {
        name: 'x',
        kind: 'file',
        maxBytes: MAX,
      });
      const files = paths.map((path) => ({ path, executable: false, size: 1, digest }));
      await expect(
        artifacts.put(chunks(encodeManifest({ files })), {
          name: 'f',
          kind: 'folder',
          maxBytes: MAX,
        }),
      ).rejects.toMatchObject({ code: 'invalid' });
    });

    test('a folder that is no manifest is refused', async () => {
      const { artifacts } = await setUp();
      for (const text of ['', 'not json', '[]', '{"files":[{}]}', '{"files":[],"more":1}']) {
        await expect(
          artifacts.put(chunks(text), { name: 'f', kind: 'folder', maxBytes: MAX }),
        ).rejects.toMatchObject({ code: 'invalid' });
      }
    });

    test.each(['reading', 'materializing'] as const)(
      'damage is found when %s, counts as not here, and a new put heals it',
      async (how) => {
        const { artifacts, corrupt } = await setUp();
        const put = () =>
          artifacts.put(chunks('precious'), { name: 'a', kind: 'file', maxBytes: MAX });
        const ref = await put();
        await corrupt(ref.digest);
        const used =
          how === 'reading' ? readAll(artifacts.read(ref.digest)) : artifacts.materialize(ref);
        await expect(used).rejects.toMatchObject({
          code: 'internal',
          message: expect.stringMatching(`${ref.digest} was damaged.*push it again`),
        });
        expect(await artifacts.stat(ref.digest)).toBeUndefined();
        await expect(artifacts.materialize(ref)).rejects.toMatchObject({ code: 'not_found' });
        await put();
        expect(await artifacts.stat(ref.digest)).toEqual(ref);
        expect((await readAll(artifacts.read(ref.digest))).toString()).toBe('precious');
        expect(await readFile(await artifacts.materialize(ref), 'utf8')).toBe('precious');
      },
    );

    test('damage that was written since is found when asking what is here', async () => {
      const { artifacts, corrupt } = await setUp();
      const options = { name: 'a', kind: 'file', maxBytes: MAX } as const;
      const { digest } = await artifacts.put(chunks('precious'), options);
      await corrupt(digest);
      expect(await artifacts.stat(digest)).toBeUndefined();
    });

    test('a folder with a damaged file is not here, until it is pushed again', async () => {
      const { artifacts, corrupt } = await setUp();
      const folder = await folderWith({ 'model.py': 'pass\n', 'b.txt': 'b' });
      const ref = await pushFolder(artifacts, folder);
      await corrupt(sha256('pass\n'));
      await expect(artifacts.materialize(ref)).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining(sha256('pass\n')),
      });
      expect(await artifacts.stat(ref.digest)).toBeUndefined();
      await pushFolder(artifacts, folder);
      expect(await artifacts.stat(ref.digest)).toEqual(ref);
      const path = await artifacts.materialize(ref);
      expect(await readFile(join(path, 'model.py'), 'utf8')).toBe('pass\n');
    });

    test('whoever writes to what was materialized harms that copy only, and the next has a new one', async () => {
      const { artifacts } = await setUp();
      const folder = await folderWith({ 'model.py': 'pass\n', 'run.sh': 'exit\n' });
      const tree = await pushFolder(artifacts, folder);
      const file = await artifacts.put(chunks('pass\n'), {
        name: 'm',
        kind: 'file',
        maxBytes: MAX,
      });
      const root = await artifacts.materialize(tree);
      const places = [
        join(root, 'model.py'),
        join(root, 'run.sh'),
        await artifacts.materialize(file),
      ];
      for (const place of places) {
        await chmod(place, 0o600);
        await writeFile(place, 'worse');
      }
      for (const text of ['pass\n', 'exit\n']) {
        expect((await readAll(artifacts.read(sha256(text)))).toString()).toBe(text);
      }
      expect(await artifacts.stat(tree.digest)).toEqual(tree);
      await artifacts.materialize(tree);
      await artifacts.materialize(file);
      const found = await Promise.all(places.map((place) => readFile(place, 'utf8')));
      expect(found).toEqual(['pass\n', 'exit\n', 'pass\n']);
      expect(await manifestOf(root)).toEqual(await manifestOf(folder));
    });

    test('a file of a folder that is removed is not found, and the folder is not here', async () => {
      const { artifacts } = await setUp();
      const ref = await pushFolder(artifacts, await folderWith({ 'model.py': 'p', 'b.txt': 'b' }));
      await artifacts.remove(sha256('b'));
      expect(await artifacts.stat(ref.digest)).toBeUndefined();
      await expect(artifacts.materialize(ref)).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(sha256('b')),
      });
    });

    test('remove takes content and what was materialized; twice is no error', async () => {
      const { artifacts, count } = await setUp();
      const folder = await folderWith({ 'sub/a.txt': 'a' });
      const tree = await pushFolder(artifacts, folder);
      const file = await artifacts.put(chunks('f'), { name: 'f', kind: 'file', maxBytes: MAX });
      const paths = [await artifacts.materialize(tree), await artifacts.materialize(file)];
      for (const digest of [tree.digest, file.digest, file.digest, sha256('a')]) {
        await artifacts.remove(digest);
      }
      for (const path of paths) await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await count()).toBe(0);
      expect(await artifacts.stat(tree.digest)).toBeUndefined();
    });

    test('all there is, is listed, with when it was put or touched last', async () => {
      const { artifacts, setTime } = await setUp();
      const put = (text: string) =>
        artifacts.put(chunks(text), { name: text, kind: 'file', maxBytes: MAX });
      const list = async (): Promise<unknown[]> => {
        const found = [];
        for await (const each of artifacts.list()) found.push(each);
        return found.toSorted((a, b) => a.touchedAt - b.touchedAt);
      };
      expect(await list()).toEqual([]);
      setTime(1000);
      const a = await put('a');
      setTime(2000);
      const b = await put('b');
      const [atA, atB] = [
        { digest: a.digest, touchedAt: 1000 },
        { digest: b.digest, touchedAt: 2000 },
      ];
      expect(await list()).toEqual([atA, atB]);
      await artifacts.stat(a.digest);
      for await (const _ of artifacts.read(a.digest)) continue;
      expect(await list()).toEqual([atA, atB]);
      setTime(3000);
      expect(await artifacts.touch(a.digest)).toEqual(a);
      expect(await list()).toEqual([atB, { ...atA, touchedAt: 3000 }]);
      setTime(4000);
      await put('b');
      expect(await list()).toEqual([
        { ...atA, touchedAt: 3000 },
        { ...atB, touchedAt: 4000 },
      ]);
      expect(await artifacts.touch(sha256('nothing'))).toBeUndefined();
    });

    test('whoever touches a folder touches its files', async () => {
      const { artifacts, setTime } = await setUp();
      setTime(1000);
      const tree = await pushFolder(artifacts, await folderWith({ 'model.py': 'p', 'b.txt': 'b' }));
      expect((await artifacts.filesOf(tree.digest)).toSorted()).toEqual(
        [sha256('p'), sha256('b')].toSorted(),
      );
      expect(await artifacts.filesOf(sha256('nothing'))).toEqual([]);
      setTime(5000);
      expect(await artifacts.touch(tree.digest)).toEqual(tree);
      for (const digest of [tree.digest, sha256('p'), sha256('b')]) {
        expect(await artifacts.removeUntouched(digest, 5000)).toBe(false);
      }
      expect(await artifacts.stat(tree.digest)).toEqual(tree);
      await artifacts.remove(sha256('b'));
      expect(await artifacts.touch(tree.digest)).toBeUndefined();
    });

    test('what was not touched goes whole, what was stays whole', async () => {
      const { artifacts, count, setTime } = await setUp();
      setTime(1000);
      const tree = await pushFolder(artifacts, await folderWith({ 'sub/a.txt': 'a' }));
      const file = await artifacts.put(chunks('f'), { name: 'f', kind: 'file', maxBytes: MAX });
      const paths = [await artifacts.materialize(tree), await artifacts.materialize(file)];
      for (const ref of [tree, file]) {
        expect(await artifacts.removeUntouched(ref.digest, 1000)).toBe(false);
        expect(await artifacts.stat(ref.digest)).toEqual(ref);
      }
      expect(await Promise.all([tree, file].map((ref) => artifacts.materialize(ref)))).toEqual(
        paths,
      );
      for (const digest of [tree.digest, file.digest, sha256('a'), sha256('a')]) {
        expect(await artifacts.removeUntouched(digest, 1001)).toBe(true);
      }
      for (const path of paths) await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await count()).toBe(0);
      for await (const left of artifacts.list()) expect(left).toBeUndefined();
    });

    test('what is put while it is removed is there when the put is done', async () => {
      const { artifacts, setTime } = await setUp();
      const put = () => artifacts.put(chunks('same'), { name: 's', kind: 'file', maxBytes: MAX });
      for (let round = 1; round <= 100; round++) {
        setTime(round * 1000);
        const { digest } = await put();
        setTime(round * 1000 + 1);
        const putting = put();
        // From before the put has begun to after its end, as the rounds go.
        for (let turn = 0; turn < round % 10; turn++) await stat(tmpdir());
        await artifacts.removeUntouched(digest, round * 1000 + 1);
        const ref = await putting;
        expect(await artifacts.stat(digest)).toEqual(ref);
        expect((await readAll(artifacts.read(digest))).toString()).toBe('same');
      }
    });

    test('a symbolic link in a folder to upload is refused by name', async () => {
      const folder = await folderWith({ 'a.txt': 'a' });
      await symlink('/etc/passwd', join(folder, 'link'));
      await expect(manifestOf(folder)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('link'),
      });
    });
  });
}
