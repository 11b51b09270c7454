import type { WriteStream } from 'node:fs';
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { causeOf, codeOf, Fault } from '#lib/fault.ts';
import { sync } from '#lib/sync.ts';

/** Files that are there whole or not at all, also after a power cut. */

/** In the same folder, so that it can be renamed; always the same name, so that a crash leaves one at most. */
export function partialOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.partial`);
}

/**
 * A stream into a new file, which is there when this resolves: what is given up then can be removed. `createWriteStream`
 * of `node:fs` may make its file after that.
 */
export async function openFile(path: string): Promise<WriteStream> {
  return (await open(path, 'w')).createWriteStream();
}

/** Makes a written file durable, and its name in its folder. */
export async function makeDurable(path: string): Promise<void> {
  await sync(path);
  await sync(dirname(path));
}

/**
 * Makes a complete file durable, then gives it its name in the same folder. Throws Fault `conflict` when that is taken,
 * unless it may be replaced.
 */
export async function moveInto(from: string, to: string, replace: boolean): Promise<void> {
  await sync(from);
  if (replace) await rename(from, to);
  else {
    // Unlike a rename, a link refuses a name that is taken.
    await link(from, to).catch((error: unknown) => {
      throw codeOf(error) === 'EEXIST' ? taken(to) : error;
    });
    await unlink(from);
  }
  await sync(dirname(to));
}

/** Throws Fault `conflict` where no new file can have this name; a link that leads nowhere has it, too. */
export async function checkFree(path: string, replace: boolean): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw fileFault(error, path);
  });
  if (there?.isDirectory()) {
    throw new Fault('conflict', `${path} is a folder; expected the name of a file`);
  }
  if (there && !replace) throw taken(path);
}

function taken(path: string): Fault {
  return new Fault(
    'conflict',
    `${path} exists already; expected a name that is free, or --force to replace it`,
  );
}

/** What the file system threw, as a Fault that names the file and what to do. */
export function fileFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) {
    return new Fault('storage_full', `no space left for ${path}: free some`, { cause: error });
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(code)) {
    return new Fault('forbidden', `${path} cannot be written (${code}): check its owner and mode`, {
      cause: error,
    });
  }
  if (code === 'ENAMETOOLONG') {
    const longer = 'until all is done, it has a longer one';
    return new Fault('invalid', `${path}: expected a shorter name: ${longer}`, { cause: error });
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new Fault('not_found', `${path}: its folder is not there`, { cause: error });
  }
  return new Fault('internal', `${path}: ${causeOf(error)}`, { cause: error });
}
