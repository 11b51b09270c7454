import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef } from '#domain/records.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { codeOf, Fault } from '#lib/fault.ts';
import { type Staged, createContent, stage } from './artifact-content.ts';
import { artifactFault, moveInto, statOf } from './artifact-file.ts';
import { isTreeIntact, placeFile, placeTree } from './artifact-tree.ts';
import { removeTree } from './remove-tree.ts';
import { type Places, removeUntouched, touchedAt } from './artifact-removal.ts';
import type { Artifacts, StoredContent } from './artifacts.ts';
import { isInside, MANIFEST_LIMIT, parseManifest } from './manifest.ts';

type PutOptions = Parameters<Artifacts['put']>[1];

/**
 * Artifacts in a folder that the processes of one Rouse own:
 * `content/` the bytes by digest, `notes/` their names, `files/` and `folders/` copies that were
 * materialized (an instance that runs as root can write to them, and must not reach the bytes), `tmp/` what is on its way; the last is emptied at the start.
 * `package.json` keeps the project that the folder lies in from saying what the copies are.
 */
export async function createArtifactFolder(options: {
  folder: string;
  /** Another name for `tmp`, of each of several processes that use the folder. */
  temporary?: string;
  clock?: Clock;
}): Promise<Artifacts> {
  const { folder, clock = systemClock } = options;
  const temporary = join(folder, options.temporary ?? 'tmp');
  const content = createContent(folder, temporary, clock);
  const placing = new Map<string, Promise<string>>();
  await guarded(async () => {
    await removeTree(temporary);
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    await keepToItself();
  });

  /**
   * The nearest package.json says what a `.js` file is to Node. Without one here that would be the one of whatever
   * project the folder lies in; an empty one leaves it to the file's own syntax.
   */
  async function keepToItself(): Promise<void> {
    const path = join(folder, 'package.json');
    if ((await statOf(path)) !== undefined) return;
    await content.withTemporary(async (temporary) => {
      const whole = join(temporary, 'package.json');
      await writeFile(whole, '{}\n', { mode: 0o600 });
      await moveInto(whole, path);
    });
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw artifactFault(error, folder);
    }
  }

  async function sizeOfFolder(staged: Staged): Promise<number> {
    const { files } = parseManifest(await readFile(staged.path, 'utf8'));
    for (const { path, digest, size } of files) {
      const found = await content.sizeOf(digest);
      if (found === size) continue;
      throw new Fault(
        'invalid',
        `folder sha256:${staged.digest} names ${path} with sha256:${digest} and ${size} bytes, ` +
          `which ${found === undefined ? 'is not here' : `has ${found} bytes`}: push the files first`,
      );
    }
    return files.reduce((total, file) => total + file.size, 0);
  }

  /** Is every file of a folder here? Otherwise it counts as not here, so that it is put again. */
  async function isWhole(digest: string): Promise<boolean> {
    try {
      const { files } = parseManifest(await content.manifestText(digest));
      for (const file of files) {
        if ((await content.sizeOf(file.digest)) !== file.size) return false;
      }
      return true;
    } catch (error) {
      if (error instanceof Fault) return false;
      throw error;
    }
  }

  async function filesOf(digest: string): Promise<string[]> {
    try {
      const { files } = parseManifest(await content.manifestText(digest));
      return files.map((file) => file.digest);
    } catch (error) {
      if (error instanceof Fault) return [];
      throw error;
    }
  }

  async function touch(digest: string): Promise<ArtifactRef | undefined> {
    if (!(await content.touch(digest))) return undefined;
    const ref = await content.stat(digest);
    if (ref?.kind !== 'folder') return ref;
    for (const file of await filesOf(digest)) await content.touch(file);
    return (await isWhole(digest)) ? ref : undefined;
  }

  function copiesOf(digest: string): string[] {
    return ['files', 'folders'].map((place) => join(folder, place, digest));
  }

  function placesOf(digest: string): Places {
    return { ...content.placesOf(digest), copies: copiesOf(digest) };
  }

  /** A copy alone counts, too: whoever removed the rest may have died in the middle. */
  async function* list(): AsyncGenerator<StoredContent> {
    const digests = new Set<string>();
    for (const place of ['notes', 'content']) {
      for (const start of await namesIn(join(folder, place))) {
        for (const name of await namesIn(join(folder, place, start))) digests.add(name);
      }
    }
    for (const place of ['files', 'folders']) {
      for (const name of await namesIn(join(folder, place))) digests.add(name);
    }
    for (const digest of digests) {
      if (isDigest(digest)) yield { digest, touchedAt: await touchedAt(placesOf(digest)) };
    }
  }

  async function take(bytes: AsyncIterable<Uint8Array>, options: PutOptions, temporary: string) {
    const { name, kind, expected } = options;
    const maxBytes =
      kind === 'folder' ? Math.min(options.maxBytes, MANIFEST_LIMIT) : options.maxBytes;
    const staged = await stage(bytes, join(temporary, 'bytes'), { name, maxBytes });
    if (expected !== undefined && expected !== staged.digest) {
      throw new Fault(
        'invalid',
        `${name} has digest sha256:${staged.digest}, expected sha256:${expected}`,
      );
    }
    const size = kind === 'folder' ? await sizeOfFolder(staged) : staged.size;
    const ref: ArtifactRef = { digest: staged.digest, size, name, kind };
    // Before the bytes are looked for: see `removeUntouched`.
    await content.describe(ref, temporary);
    await content.keep(staged);
    return ref;
  }

  async function place(ref: ArtifactRef): Promise<string> {
    if (ref.kind === 'file') {
      const path = join(folder, 'files', ref.digest, ref.name);
      await placeFile(content.intact, ref, path);
      return path;
    }
    const path = join(folder, 'folders', ref.digest);
    const manifest = parseManifest(await content.manifestText(ref.digest));
    if (await isTreeIntact(path, manifest)) return path;
    await content.withTemporary((temporary) =>
      placeTree(manifest, content.intact, temporary, path),
    );
    return path;
  }

  return {
    async put(bytes, options) {
      checkName(options.name);
      return await guarded(() =>
        content.withTemporary((temporary) => take(bytes, options, temporary)),
      );
    },
    stat: async (digest) => {
      checkDigest(digest);
      return await guarded(async () => {
        const ref = await content.stat(digest);
        return ref?.kind === 'folder' && !(await isWhole(digest)) ? undefined : ref;
      });
    },
    touch: async (digest) => {
      checkDigest(digest);
      return await guarded(() => touch(digest));
    },
    list,
    filesOf: async (digest) => {
      checkDigest(digest);
      return await guarded(() => filesOf(digest));
    },
    async *read(digest) {
      checkDigest(digest);
      yield* content.read(digest);
    },
    async materialize(ref) {
      checkDigest(ref.digest);
      checkName(ref.name);
      const key = ref.kind === 'file' ? `${ref.digest}/${ref.name}` : ref.digest;
      const placed =
        placing.get(key) ?? guarded(() => place(ref)).finally(() => placing.delete(key));
      placing.set(key, placed);
      return await placed;
    },
    async remove(digest) {
      checkDigest(digest);
      await guarded(async () => {
        await content.remove(digest);
        await Promise.all(copiesOf(digest).map(removeTree));
      });
    },
    async removeUntouched(digest, since) {
      checkDigest(digest);
      return await guarded(() =>
        content.withTemporary((aside) => removeUntouched(placesOf(digest), since, aside)),
      );
    },
  };
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function checkDigest(digest: string): void {
  if (isDigest(digest)) return;
  throw new Fault('invalid', `${JSON.stringify(digest)} is no digest, expected 64 hex digits`);
}

function checkName(name: string): void {
  if (isInside(name) && !name.includes('/') && Buffer.byteLength(name) <= 255) return;
  throw new Fault('invalid', `${JSON.stringify(name)} is no file name`);
}
