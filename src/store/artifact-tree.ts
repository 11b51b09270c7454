import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FolderManifest } from '#lib/folder-manifest.ts';
import { copy, isSealed, moveInto, statOf } from './artifact-file.ts';
import { removeTree } from './remove-tree.ts';

/** Gives the path of checked bytes. */
type Source = (digest: string) => Promise<string>;

/** A file under a name of its own; made anew when what is there was changed. */
export async function placeFile(
  source: Source,
  file: { digest: string; size: number },
  to: string,
): Promise<void> {
  if (await isSealed(to, file.size)) return;
  const from = await source(file.digest);
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rm(to, { force: true });
  await copy(from, to);
}

/** Whether all files of a folder are there as they were made. */
export async function isTreeIntact(root: string, manifest: FolderManifest): Promise<boolean> {
  if ((await statOf(root)) === undefined) return false;
  for (const { path, size } of manifest.files) {
    if (!(await isSealed(join(root, path), size))) return false;
  }
  return true;
}

/** Builds a folder aside and puts it in its place in one step. Several may do so at once. */
export async function placeTree(
  manifest: FolderManifest,
  source: Source,
  temporary: string,
  to: string,
): Promise<void> {
  const tree = join(temporary, 'tree');
  await mkdir(tree);
  for (const file of manifest.files) {
    const target = join(tree, file.path);
    await mkdir(dirname(target), { recursive: true });
    await copy(await source(file.digest), target, file.executable);
  }
  await setModes(tree, 0o555);
  // A folder can be moved only while it may be written to itself.
  await chmod(tree, 0o755);
  await removeTree(to);
  await moveInto(tree, to);
  await chmod(to, 0o555);
}

async function setModes(folder: string, mode: number): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await setModes(join(folder, entry.name), mode);
  }
  await chmod(folder, mode);
}
