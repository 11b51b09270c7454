import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ArtifactRef } from '#domain/records.ts';
import { codeOf, Fault } from '#lib/fault.ts';
import { digestOf, encodeManifest, type FolderManifest, manifestOf } from '#lib/folder-manifest.ts';
import type { Artifacts } from './artifacts.ts';

type PutInto = Pick<Artifacts, 'put' | 'touch'>;

/**
 * Stores a file or a folder of this machine as it is now. Files that change meanwhile are stored as they were read: what
 * is stored is whole by itself. Throws Fault `not_found`, `invalid`, `too_large`, `storage_full`.
 */
export async function putPath(
  artifacts: PutInto,
  path: string,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<ArtifactRef> {
  const found = await requirePath(path);
  const name = basename(path);
  if (found.isFile()) {
    const { digest } = await digestOf(path, limits.signal);
    return { ...(await putFile(artifacts, path, digest, limits)), name };
  }
  if (!found.isDirectory()) throw new Fault('invalid', `${path} is neither a file nor a folder`);
  const { files } = await manifestOf(path, { signal: limits.signal });
  const stored: FolderManifest['files'][number][] = [];
  for (const file of files) {
    const { digest, size } = await putFile(artifacts, join(path, file.path), file.digest, limits);
    stored.push({ ...file, digest, size });
  }
  const manifest = once(Buffer.from(encodeManifest({ files: stored })));
  return await artifacts.put(manifest, { name, kind: 'folder', maxBytes: limits.maxBytes });
}

/** `seen`: the digest that it had when it was read. What is stored already is not read again. */
async function putFile(
  artifacts: PutInto,
  path: string,
  seen: string,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<ArtifactRef> {
  signal.throwIfAborted();
  const known = await artifacts.touch(seen);
  if (known?.kind === 'file') return known;
  const content = createReadStream(path, { signal }) as AsyncIterable<Buffer>;
  return await artifacts.put(content, { name: basename(path), kind: 'file', maxBytes });
}

/** Throws Fault `not_found`. */
export async function requirePath(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      throw new Fault('not_found', `${path}: there is no such file or folder`);
    }
    throw error;
  }
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
