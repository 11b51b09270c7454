import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';

/** The absolute path of a program; throws Fault `invalid` when there is none that can be run. */
export async function findProgram(
  name: string,
  where: { readonly cwd: string; readonly path: string | undefined },
): Promise<string> {
  if (!name.includes('/')) {
    for (const folder of (where.path ?? '').split(delimiter)) {
      const candidate = join(folder, name);
      if (isAbsolute(candidate) && (await isExecutable(candidate))) return candidate;
    }
    throw new Fault('invalid', `program ${name} is not found in PATH`);
  }
  const file = resolve(where.cwd, name);
  if (await isExecutable(file)) return file;
  const found = await stat(file).catch(() => undefined);
  const problem = found?.isFile() === true ? 'is not executable' : 'does not exist';
  const hint = isAbsolute(name) ? '' : ` in ${where.cwd}: give an absolute path, or a source`;
  throw new Fault('invalid', `program ${name} ${problem}${hint}`);
}

/** A source that is itself the program: stored content has no mode, so it gets a copy that may run. */
export async function makeExecutable(
  source: string,
  artifact: ArtifactRef,
  folder: string,
): Promise<string> {
  if (await isExecutable(source)) return source;
  const home = join(folder, artifact.digest);
  const target = join(home, artifact.name);
  if (await isExecutable(target)) return target;
  await mkdir(home, { recursive: true, mode: 0o700 });
  const part = `${target}.part`;
  await copyFile(source, part, constants.COPYFILE_FICLONE);
  await chmod(part, 0o500);
  await rename(part, target);
  return target;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
