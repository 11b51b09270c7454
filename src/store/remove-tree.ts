import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { chmod, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { statOf } from './artifact-file.ts';

/** Linux takes paths of up to 4095 bytes; who goes down step by step makes longer ones. A name has up to 255. */
const MOST_PATH_BYTES = 2048;

/** Removes a folder, also where its folders are read-only, deeper than a path can say, or have names that are no text. */
export async function removeTree(root: string): Promise<void> {
  if ((await statOf(root)) === undefined) return;
  const open: Buffer[] = [Buffer.from(root)];
  for (let folder = open.pop(); folder; folder = open.pop()) {
    await chmod(folder, 0o700);
    for (const name of await foldersIn(folder)) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      open.push(path.length <= MOST_PATH_BYTES ? path : await moveUp(path, root));
    }
  }
  await rm(root, { recursive: true, force: true });
}

async function foldersIn(folder: Buffer): Promise<Buffer[]> {
  const entries: Dirent<Buffer>[] = await readdir(folder, {
    withFileTypes: true,
    encoding: 'buffer',
  });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** From within a folder that may be written to. */
async function moveUp(path: Buffer, root: string): Promise<Buffer> {
  // A folder can be moved only while it may be written to itself.
  await chmod(path, 0o700);
  const to = Buffer.from(join(root, randomUUID()));
  await rename(path, to);
  return to;
}
