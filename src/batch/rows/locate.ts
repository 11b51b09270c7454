import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, glob, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { causeOf, codeOf, Fault } from '#lib/fault.ts';

export interface InputFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedAt: number;
}

/** One statement of the reader names them all. */
const MAX_FILES = 10_000;

/** The files of a path or glob in the order of their names. Throws Fault when there is none that can be read. */
export async function locate(location: string): Promise<readonly InputFile[]> {
  const found = await statOf(location);
  if (found?.isFile()) return [await fileOf(location, found)];
  const paths = found?.isDirectory() ? await filesIn(location) : await matches(location);
  const files: InputFile[] = [];
  for (const path of paths.toSorted()) {
    const entry = await statOf(path);
    if (entry?.isFile()) files.push(await fileOf(path, entry));
  }
  if (files.length > MAX_FILES) {
    throw new Fault(
      'too_large',
      `${location}: ${files.length} files; at most ${MAX_FILES} are read`,
    );
  }
  if (files.length > 0) return files;
  throw new Fault(
    'not_found',
    `${location}: ${found ? 'no file is in this folder' : 'there is no such file'}`,
  );
}

/** Another one when a file was changed, came or went. */
export function versionOf(files: readonly InputFile[]): string {
  const hash = createHash('sha256');
  for (const { path, bytes, modifiedAt } of files)
    hash.update(`${path}\0${bytes}\0${modifiedAt}\0`);
  return hash.digest('hex');
}

/** Whether they are as they were when they were found. */
export async function areUnchanged(files: readonly InputFile[]): Promise<boolean> {
  for (const { path, bytes, modifiedAt } of files) {
    const now = await statOf(path);
    if (now?.size !== bytes || now.mtimeMs !== modifiedAt) return false;
  }
  return true;
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined;
    throw unreadable(path, error);
  }
}

/** Not those that programs leave beside data: `_SUCCESS`, `.part.crc`. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => !/^[._]/.test(name)).map((name) => join(folder, name));
  } catch (error) {
    throw unreadable(folder, error);
  }
}

async function matches(pattern: string): Promise<string[]> {
  const paths: string[] = [];
  if (/[*?[{]/.test(pattern)) for await (const path of glob(pattern)) paths.push(path);
  return paths;
}

async function fileOf(path: string, { size, mtimeMs }: Stats): Promise<InputFile> {
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (size === 0) throw new Fault('invalid', `${path}: the file is empty; expected rows`);
  return { path, bytes: size, modifiedAt: mtimeMs };
}

function unreadable(path: string, error: unknown): Fault {
  return new Fault('forbidden', `${path} cannot be read: ${causeOf(error)}`, { cause: error });
}
