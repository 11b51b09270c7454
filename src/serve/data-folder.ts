import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf, Fault, messageOf } from '#lib/fault.ts';

/** Enough to settle who is first among some that come at once, little for whoever has to be refused. */
const SETTLE_MS = 500;
/** SQLite: another one holds the lock. */
const BUSY = 5;

/** Where what is in the folder of all state. */
export interface DataFolder {
  readonly path: string;
  /** Random, made with the folder: tells its processes from those of other folders. */
  readonly stateId: string;
  readonly database: string;
  /** Of asynchronous requests. */
  readonly requests: string;
  readonly artifacts: string;
  readonly runtime: string;
  readonly jobs: string;
  /** 32 random bytes, made when they are asked for first: what follows from them holds as long as the folder. */
  platformSecret(): Buffer;
  /** A secret's value, from `secrets/<namespace>/<name>` in the folder. */
  readSecret(namespace: string, name: string): Promise<string | undefined>;
}

/** One Rouse at a time has it. */
export interface TakenFolder extends DataFolder {
  /** Lets another Rouse have it. */
  release(): void;
}

export function dataFolderAt(path: string, stateId: string): DataFolder {
  return {
    path,
    stateId,
    database: join(path, 'rouse.db'),
    requests: join(path, 'requests.db'),
    artifacts: join(path, 'artifacts'),
    runtime: join(path, 'runtime'),
    jobs: join(path, 'jobs'),
    platformSecret: () => Buffer.from(readHex(join(path, 'platform-secret'), 32), 'hex'),
    readSecret: (namespace, name) => readSecret(join(path, 'secrets', namespace, name)),
  };
}

/** Takes the folder, making it if need be. Throws Fault `conflict` while another Rouse has it. */
export function takeDataFolder(path: string): TakenFolder {
  const folder = resolve(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const release = lock(folder);
    return { ...dataFolderAt(folder, readHex(join(folder, 'state-id'), 16)), release };
  } catch (error) {
    if (error instanceof Fault) throw error;
    const why = messageOf(error);
    throw new Fault(
      'internal',
      `The data folder ${folder} cannot be used: ${why}. Choose one by --data.`,
    );
  }
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}

/** So many random bytes, made when there are none yet. */
function readHex(path: string, bytes: number): string {
  const known = readText(path);
  if (known?.length === bytes * 2 && /^[0-9a-f]+$/.test(known)) return known;
  const made = randomBytes(bytes).toString('hex');
  replaceFile(path, made);
  return made;
}

/**
 * The kernel's lock on `lock.db`, which SQLite takes and nothing is ever written to: it ends with this process,
 * however that ends, and of many that want it at once one gets it. `owner` only tells the others whose it is.
 */
function lock(folder: string): () => void {
  const owner = join(folder, 'owner');
  const database = lockFile(folder, owner);
  try {
    replaceFile(owner, String(process.pid));
  } catch (error) {
    database.close();
    throw error;
  }
  return () => {
    rmSync(owner, { force: true });
    database.close();
  };
}

function lockFile(folder: string, owner: string): DatabaseSync {
  const path = join(folder, 'lock.db');
  const database = new DatabaseSync(path, { timeout: SETTLE_MS });
  try {
    // A journal on disk would have to be rolled back first, which several cannot do at once.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    chmodSync(path, 0o600);
    return database;
  } catch (error) {
    database.close();
    throw isBusy(error) ? inUse(folder, Number(readText(owner))) : error;
  }
}

function inUse(folder: string, pid: number): Fault {
  if (!isAlive(pid)) {
    return new Fault('conflict', `The data folder ${folder} is being taken by another Rouse.`);
  }
  return new Fault(
    'conflict',
    `The data folder ${folder} is in use by the Rouse with process id ${pid}. ` +
      'Stop that one, or choose another folder by --data.',
  );
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error && 'errcode' in error)) return false;
  return typeof error.errcode === 'number' && (error.errcode & 0xff) === BUSY;
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Nobody ever reads half of it. */
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
