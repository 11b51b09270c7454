import { codeOf, Fault, messageOf } from './fault.ts';

/** Primary result codes of SQLite; the extended code carries them in its low byte. */
const PERM = 3;
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
/** The index beside the write-ahead log could not grow: there is no other reason than a full disk. */
const IOERR_SHMSIZE = 4874;

const DO: Readonly<Record<number, string>> = {
  [PERM]: 'is not accessible: check its owner and mode',
  [READONLY]: 'cannot be written: check its owner and mode',
  [CANTOPEN]: 'cannot be opened: check that its folder exists and may be written',
  [IOERR]: 'could not be read or written: check the disk',
};
const DAMAGED: Readonly<Record<number, string>> = {
  [CORRUPT]: 'is damaged',
  [NOTADB]: 'is no SQLite database',
};
export const RESTORE = 'restore it from a backup, or move it away to start empty';

/**
 * What SQLite or the file system threw, as a Fault that names the database and what to do.
 *
 * @param restore what to do about one that is damaged.
 */
export function faultOf(error: unknown, path: string, restore = RESTORE): unknown {
  if (error instanceof Fault) return error;
  const extended = numberOf(error, 'errcode');
  const code = extended & 0xff;
  if (code === FULL || extended === IOERR_SHMSIZE || codeOf(error) === 'ENOSPC') {
    return new Fault(
      'storage_full',
      `no space left for database ${path}: free some, nothing that was acknowledged is lost`,
      { cause: error },
    );
  }
  if (code === BUSY) {
    return new Fault('unavailable', `database ${path} is locked by another process`, {
      cause: error,
    });
  }
  const advice = adviceFor(code, restore) ?? (isAccess(error) ? DO[CANTOPEN] : undefined);
  return new Fault('internal', `database ${path} ${advice ?? 'failed'} (${messageOf(error)})`, {
    cause: error,
  });
}

function adviceFor(code: number, restore: string): string | undefined {
  const damage = DAMAGED[code];
  return damage === undefined ? DO[code] : `${damage}: ${restore}`;
}

function isAccess(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'EROFS', 'EEXIST'].includes(codeOf(error));
}

function numberOf(error: unknown, key: string): number {
  return error instanceof Error ? Number(Reflect.get(error, key) ?? 0) : 0;
}
