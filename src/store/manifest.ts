import { z } from 'zod';
import { parseDocument } from '#domain/parse.ts';
import { Fault } from '#lib/fault.ts';
import type { FolderManifest } from '#lib/folder-manifest.ts';

/** 10,000 files with long paths stay below; a manifest is the only content that is read whole. */
export const MANIFEST_LIMIT = 16 * 2 ** 20;

const file = z.strictObject({
  path: z.string().max(4096).refine(isInside, 'a relative path with "/" and without "." or ".."'),
  executable: z.boolean(),
  size: z.int().nonnegative(),
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex'),
});

const folderManifest = z.strictObject({
  files: z
    .array(file)
    .max(10_000)
    .refine((files) => isTree(files.map(({ path }) => path)), {
      message: 'sorted paths, each once, none of them below another',
    }),
});

/** The manifest in a text that a stranger has sent. Throws Fault `invalid`. */
export function parseManifest(text: string): FolderManifest {
  return parseDocument(folderManifest, jsonOf(text), 'folder manifest');
}

/** A path that stays in the folder that it is joined to. */
export function isInside(path: string): boolean {
  if (/[\0\\]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function isTree(paths: readonly string[]): boolean {
  const files = new Set(paths);
  return paths.every((path, index) => {
    if (index > 0 && (paths[index - 1] ?? '') >= path) return false;
    const parts = path.split('/');
    return parts.every((_, length) => !files.has(parts.slice(0, length).join('/')));
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault('invalid', 'folder manifest is no JSON', { cause });
  }
}
