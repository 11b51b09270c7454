import { link, rename, rm, stat } from 'node:fs/promises';
import { codeOf, Fault } from '#lib/fault.ts';
import { makeDurable } from '../rows/durable.ts';

/**
 * Gives a finished file its final name, at once and durably: nobody ever sees a part of it there. Repeatable: what was
 * done before a crash is not done twice, and a file of somebody else that came meanwhile stays, Fault `conflict`.
 */
export async function publish(finished: string, path: string, replace: boolean): Promise<void> {
  const own = await statOf(finished);
  // A former life was here.
  if (!own) return;
  if (replace) await rename(finished, path);
  else {
    await linkOnce(finished, path, own);
    await rm(finished);
  }
  await makeDurable(path);
}

/** A link, unlike a renaming, never takes the place of another file. */
async function linkOnce(finished: string, path: string, own: Identity): Promise<void> {
  try {
    await link(finished, path);
  } catch (error) {
    const there = await statOf(path);
    if (there?.ino === own.ino && there.dev === own.dev) return;
    if (there) {
      throw new Fault('conflict', `${path} was made by somebody else while the job ran`);
    }
    throw error;
  }
}

interface Identity {
  readonly ino: number;
  readonly dev: number;
}

async function statOf(path: string): Promise<Identity | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
