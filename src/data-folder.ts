import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Fault, messageOf } from '#lib/fault.ts';
import { hasProc, systemProcesses } from '#runtime/local/proc.ts';

/** Where what is in the folder of all state. */
export interface DataFolder {
  readonly path: string;
  /** Random, made with the folder: tells its processes from those of other folders. */
  readonly stateId: string;
  readonly database: string;
  readonly artifacts: string;
  readonly runtime: string;
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
    artifacts: join(path, 'artifacts'),
    runtime: join(path, 'runtime'),
    readSecret: (namespace, name) => readSecret(join(path, 'secrets', namespace, name)),
  };
}

/** Takes the folder, making it if need be. Throws Fault `conflict` while another Rouse has it. */
export function takeDataFolder(path: string): TakenFolder {
  const folder = resolve(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const release = lock(folder);
    return { ...dataFolderAt(folder, readStateId(join(folder, 'state-id'))), release };
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

function readStateId(path: string): string {
  const known = readText(path);
  if (known !== undefined && /^[0-9a-f]{32}$/.test(known)) return known;
  const made = randomBytes(16).toString('hex');
  writeFileSync(path, made, { mode: 0o600 });
  return made;
}

/** A file that names its owner by pid and start time; one whose owner is gone is taken over. */
function lock(folder: string): () => void {
  const path = join(folder, 'lock');
  const own = identityOf(process.pid);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      writeFileSync(path, own, { flag: 'wx', mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const owner = readText(path) ?? '';
      const pid = Number(owner.split(' ')[0]);
      if (pid > 0 && pid !== process.pid && identityOf(pid) === owner) {
        throw new Fault(
          'conflict',
          `The data folder ${folder} is in use by the Rouse with process id ${pid}. ` +
            'Stop that one, or choose another folder by --data.',
        );
      }
      rmSync(path, { force: true });
    }
  }
  throw new Fault('conflict', `The data folder ${folder} is being taken by another Rouse.`);
}

/** `pid start-time`; without /proc the time is unknown, and a process that lives counts as the same. */
function identityOf(pid: number): string {
  if (hasProc()) {
    const stat = systemProcesses.stat(pid);
    return stat && !stat.isDead ? `${pid} ${stat.startTicks}` : '';
  }
  try {
    process.kill(pid, 0);
    return `${pid} 0`;
  } catch {
    return '';
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
