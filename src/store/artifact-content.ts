import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactRef, artifactRef } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { codeOf, Fault } from '#lib/fault.ts';
import { digestOf } from '#lib/folder-manifest.ts';
import { jsonOf } from '#lib/json.ts';
import { damaged, isSealed, moveInto, seal, statOf } from './artifact-file.ts';
import { MANIFEST_LIMIT } from './manifest.ts';

/** Bytes that were streamed in and are not yet in their place. */
export interface Staged {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * Files by digest, each with a small file beside it that says name, kind and size.
 * Invariants: under a digest there are complete bytes or none; nothing outside of here has a name for them;
 * what is found damaged goes at once, so that the next put brings it anew.
 */
export function createContent(folder: string, temporary: string, clock: Clock) {
  const pathOf = (digest: string) => join(folder, 'content', digest.slice(0, 2), digest);
  const noteOf = (digest: string) => join(folder, 'notes', digest.slice(0, 2), digest);

  /** Calls `use` with a folder of its own, which is gone afterwards. */
  async function withTemporary<T>(use: (path: string) => Promise<T>): Promise<T> {
    const path = await mkdtemp(join(temporary, 't-'));
    try {
      return await use(path);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  }

  async function hasIntact(digest: string): Promise<boolean> {
    try {
      return (await digestOf(pathOf(digest))).digest === digest;
    } catch (error) {
      // It never was there, or is being removed just now.
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Moves damaged bytes out of the way first: a put may have replaced them since they were read. */
  async function drop(digest: string): Promise<void> {
    await withTemporary(async (temporary) => {
      const aside = join(temporary, 'damaged');
      try {
        await rename(pathOf(digest), aside);
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return;
        throw error;
      }
      if ((await digestOf(aside)).digest === digest) await moveInto(aside, pathOf(digest));
    });
  }

  /** The time of a note is that of the last put or touch. */
  async function mark(path: string): Promise<void> {
    const now = new Date(clock.now());
    await utimes(path, now, now);
  }

  async function* read(digest: string): AsyncIterable<Uint8Array> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of createReadStream(pathOf(digest)) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw codeOf(error) === 'ENOENT' ? missing(digest) : error;
    }
    if (hash.digest('hex') === digest) return;
    await drop(digest);
    throw damaged(digest);
  }

  /** The path of bytes that were just read and found right. */
  async function intact(digest: string): Promise<string> {
    if ((await statOf(pathOf(digest))) === undefined) throw missing(digest);
    if (await hasIntact(digest)) return pathOf(digest);
    await drop(digest);
    throw damaged(digest);
  }

  /** Size of what is here; damaged bytes are not. Read only when the seal is broken. */
  async function sizeOf(digest: string): Promise<number | undefined> {
    const path = pathOf(digest);
    const found = await statOf(path);
    if (found === undefined || (await isSealed(path, found.size))) return found?.size;
    if (await hasIntact(digest)) {
      await seal(path);
      return found.size;
    }
    await drop(digest);
    return undefined;
  }

  return {
    withTemporary,
    read,
    intact,
    sizeOf,
    /** Moves it into its place, unless the same bytes are there; damaged ones are replaced. */
    async keep(staged: Staged): Promise<void> {
      if (await hasIntact(staged.digest)) return;
      await seal(staged.path);
      await moveInto(staged.path, pathOf(staged.digest));
    },
    async describe(ref: ArtifactRef, temporary: string): Promise<void> {
      const path = join(temporary, 'note');
      await writeFile(path, JSON.stringify(ref), { mode: 0o600, flush: true });
      await mark(path);
      await moveInto(path, noteOf(ref.digest));
    },
    /** False: there is no note. */
    async touch(digest: string): Promise<boolean> {
      try {
        await mark(noteOf(digest));
        return true;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false;
        throw error;
      }
    },
    placesOf: (digest: string) => ({ note: noteOf(digest), bytes: pathOf(digest) }),
    /** A note that cannot be read is as good as none: the next put writes it again. */
    async stat(digest: string): Promise<ArtifactRef | undefined> {
      const note = await textOf(noteOf(digest));
      const ref = artifactRef.safeParse(note === undefined ? undefined : jsonOf(note));
      return ref.success && (await sizeOf(digest)) !== undefined ? ref.data : undefined;
    },
    async manifestText(digest: string): Promise<string> {
      const size = (await statOf(pathOf(digest)))?.size ?? 0;
      if (size > MANIFEST_LIMIT) throw new Fault('invalid', `sha256:${digest} is no manifest`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of read(digest)) chunks.push(chunk);
      return Buffer.concat(chunks).toString('utf8');
    },
    async remove(digest: string): Promise<void> {
      await rm(noteOf(digest), { force: true });
      await rm(pathOf(digest), { force: true });
    },
  };
}

/** Streams bytes into a file, counting and hashing. Throws Fault `too_large` as soon as there are too many. */
export async function stage(
  content: AsyncIterable<Uint8Array>,
  path: string,
  { name, maxBytes }: { name: string; maxBytes: number },
): Promise<Staged> {
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new Fault('too_large', `${name} has more than ${maxBytes} bytes`);
      hash.update(chunk);
      await handle.appendFile(chunk);
    }
  } finally {
    await handle.close();
  }
  return { path, digest: hash.digest('hex'), size };
}

function missing(digest: string): Fault {
  return new Fault('not_found', `artifact sha256:${digest} is not here: push it first`);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
