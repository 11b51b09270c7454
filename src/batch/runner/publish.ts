import { link, lstat, rename, rm } from 'node:fs/promises';
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

/** Throws Fault `conflict` where somebody else has a file of this name. */
export async function refuseOther(finished: string, path: string): Promise<void> {
  const there = await statOf(path);
  const own = there && (await statOf(finished));
  // What has its name, and no other one, was given it by a former life.
  if (own && !isSame(there, own)) throw takenMeanwhile(path);
}

function isSame(one: Identity, other: Identity): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

function takenMeanwhile(path: string): Fault {
  return new Fault('conflict', `${path} was made by somebody else while the job ran`);
}

/** A link, unlike a renaming, never takes the place of another file. */
async function linkOnce(finished: string, path: string, own: Identity): Promise<void> {
  try {
    await link(finished, path);
  } catch (error) {
    const there = await statOf(path);
    if (!there) throw error;
    if (!isSame(there, own)) throw takenMeanwhile(path);
  }
}

interface Identity {
  readonly ino: number;
  readonly dev: number;
}

async function statOf(path: string): Promise<Identity | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
