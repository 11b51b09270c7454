import { chmod, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#lib/fault.ts';
import { moveInto, statOf } from './artifact-file.ts';
import { removeTree } from './remove-tree.ts';

/** All that there may be of a digest. */
export interface Places {
  readonly note: string;
  readonly bytes: string;
  /** Of files and folders that were materialized. */
  readonly copies: readonly string[];
}

/** Writable while they are moved, which a folder has to be itself. */
const MOVABLE = 0o755;

/** When it was put or touched last; of what has no note, when its bytes came. 0: there are neither. */
export async function touchedAt({ note, bytes }: Places): Promise<number> {
  const noted = (await statOf(note))?.mtimeMs;
  // Node sets times as seconds with a fraction, which loses some nanoseconds.
  return noted === undefined ? ((await statOf(bytes))?.ctimeMs ?? 0) : Math.round(noted);
}

/**
 * Removes what was not put or touched since; false when it was. `aside` is an empty folder.
 *
 * A put, in this process or another, writes its note first and then looks for the bytes. So all is moved aside, the note
 * first: a note that is there afterwards is of a put that may have found the bytes, and all goes back.
 */
export async function removeUntouched(
  places: Places,
  since: number,
  aside: string,
): Promise<boolean> {
  if ((await touchedAt(places)) >= since) return false;
  const note = await take(places.note, join(aside, 'note'));
  if (note && note.mtimeMs >= since) {
    await giveBack(note);
    return false;
  }
  const bytes = await take(places.bytes, join(aside, 'bytes'));
  const copies = await Promise.all(
    places.copies.map((place, index) => take(place, join(aside, String(index)))),
  );
  const isWanted = (await statOf(places.note)) !== undefined;
  for (const taken of isWanted ? [bytes, ...copies] : []) if (taken) await giveBack(taken);
  // What nobody takes back; the rest goes with the folder that it lies in.
  for (const taken of copies) if (taken) await removeTree(taken.to);
  return !isWanted;
}

interface Taken {
  readonly from: string;
  readonly to: string;
  readonly mode: number;
  readonly mtimeMs: number;
}

async function take(from: string, to: string): Promise<Taken | undefined> {
  try {
    const { mode } = await stat(from);
    await chmod(from, MOVABLE);
    await rename(from, to);
    return { from, to, mode: mode & 0o777, mtimeMs: Math.round((await stat(to)).mtimeMs) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function giveBack({ from, to, mode }: Taken): Promise<void> {
  if ((await statOf(from)) !== undefined) return;
  await moveInto(to, from);
  await chmod(from, mode);
}
