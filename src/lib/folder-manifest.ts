import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from './fault.ts';

/**
 * What is in a folder, by content. Its digest is the SHA-256 of `encodeManifest`. The command line makes one
 * to upload a folder, the store keeps it.
 */
export interface FolderManifest {
  readonly files: readonly {
    /** Relative, with `/`, without `..`. Sorted. */
    readonly path: string;
    readonly executable: boolean;
    readonly size: number;
    readonly digest: string;
  }[];
}

/** Results of running or keeping the code, never part of it, and often larger than all the rest. */
const SKIPPED = new Set(['.git', 'node_modules', '__pycache__', '.venv']);

/** A folder of source code or weights stays far below; a home folder that was meant by mistake does not. */
const LIMITS = { files: 10_000, bytes: 256 * 2 ** 30 };

/** The manifest of a folder on this machine. Reads every file once, until the signal. */
export async function manifestOf(
  folder: string,
  options: Partial<typeof LIMITS> & { readonly signal?: AbortSignal } = {},
): Promise<FolderManifest> {
  const { signal, ...limits } = { ...LIMITS, ...options };
  const paths = (await walk(folder, '', [], limits.files)).sort();
  const files: FolderManifest['files'][number][] = [];
  let bytes = 0;
  for (const path of paths) {
    const { mode, size } = await stat(join(folder, path));
    bytes += size;
    if (bytes > limits.bytes) {
      throw new Fault('too_large', `${folder} has more than ${limits.bytes} bytes`);
    }
    const content = await digestOf(join(folder, path), signal);
    files.push({ path, executable: (mode & 0o100) !== 0, ...content });
  }
  return { files };
}

/** The same manifest always gives the same text. */
export function encodeManifest(manifest: FolderManifest): string {
  const files = manifest.files.map(({ path, executable, size, digest }) => ({
    path,
    executable,
    size,
    digest,
  }));
  return JSON.stringify({ files });
}

/** SHA-256 in hex, and size, of a file's bytes, which are read until the signal. */
export async function digestOf(
  file: string,
  signal?: AbortSignal,
): Promise<{ size: number; digest: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, digest: hash.digest('hex') };
}

async function walk(root: string, below: string, found: string[], limit: number) {
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      await walk(root, path, found, limit);
      continue;
    }
    if (!entry.isFile()) throw new Fault('invalid', `${join(root, path)} is ${kindOf(entry)}`);
    if (found.push(path) > limit) {
      throw new Fault('too_large', `${root} has more than ${limit} files`);
    }
  }
  return found;
}

function kindOf(entry: { isSymbolicLink(): boolean }): string {
  return entry.isSymbolicLink()
    ? 'a symbolic link, which would not be the same elsewhere: put the file itself there'
    : 'neither a file nor a folder: take it out of the folder';
}
