import type { ArtifactRef } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { FolderManifest } from '#lib/folder-manifest.ts';
import { unpackFolder } from '#lib/folder-stream.ts';
import type { Artifacts } from './artifacts.ts';
import { MANIFEST_LIMIT, parseManifest } from './manifest.ts';

/**
 * Stores a folder that comes as one stream (`#lib/folder-stream.ts`). Another digest than `expected`: Fault `invalid`; more
 * than `maxBytes` in all: `too_large`; a stream that ends early: `unavailable`.
 */
export async function putFolder(
  artifacts: Pick<Artifacts, 'put'>,
  bytes: AsyncIterable<Uint8Array>,
  options: { readonly name: string; readonly expected?: string; readonly maxBytes: number },
): Promise<ArtifactRef> {
  function parse(text: string): FolderManifest {
    const manifest = parseManifest(text);
    const size = manifest.files.reduce((total, file) => total + file.size, 0);
    if (size <= options.maxBytes) return manifest;
    const most = options.maxBytes;
    throw new Fault('too_large', `${options.name} has ${size} bytes, at most ${most}`);
  }

  const manifest = await unpackFolder(bytes, {
    maxBytes: MANIFEST_LIMIT,
    parse,
    take: (file, content) =>
      artifacts.put(content, {
        name: file.path.split('/').at(-1) ?? '',
        kind: 'file',
        expected: file.digest,
        maxBytes: file.size,
      }),
  });
  const text = new Blob([manifest]).stream();
  return await artifacts.put(text, { ...options, kind: 'folder', maxBytes: MANIFEST_LIMIT });
}
