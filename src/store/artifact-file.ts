import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, rename, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, Fault } from '#lib/fault.ts';
import { sync } from '#lib/sync.ts';

/**
 * A file whose bytes were checked carries this time of change. Whatever writes to it later changes the time,
 * so that asking whether it is still the same costs a stat and not a read of gigabytes.
 */
const SEAL = new Date('2000-01-01T00:00:00Z');

/** Makes a checked file read-only, durable, and recognizable as checked. */
export async function seal(path: string, executable = false): Promise<void> {
  await chmod(path, executable ? 0o555 : 0o444);
  await utimes(path, SEAL, SEAL);
  await sync(path);
}

export async function isSealed(path: string, size: number): Promise<boolean> {
  const found = await statOf(path);
  return found?.size === size && found.mtimeMs === SEAL.getTime();
}

export function damaged(digest: string): Fault {
  return new Fault(
    'internal',
    `artifact sha256:${digest} was damaged on disk and is removed: push it again, and check the disk`,
  );
}

/** Bytes of its own, whatever is written to them. Shares the blocks where the file system can. */
export async function copy(from: string, to: string, executable = false): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await seal(to, executable);
}

/** Puts a complete file or folder in its place; survives a power cut. */
export async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rename(from, to);
  await sync(dirname(to));
}

/** Size and time of change; undefined when there is no such file. */
export async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the file system threw, as a Fault that names the folder and what to do. */
export function artifactFault(error: unknown, folder: string): unknown {
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault('storage_full', `no space left for artifacts in ${folder}: free some`, {
      cause: error,
    });
  }
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code)) {
    return new Fault(
      'internal',
      `artifacts folder ${folder} cannot be written (${code}): check its owner and mode`,
      { cause: error },
    );
  }
  return error;
}
