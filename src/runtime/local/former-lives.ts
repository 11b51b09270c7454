import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Log } from '#lib/log.ts';
import { hasProc, systemProcesses } from './process/proc.ts';
import { sweep } from './process/sweep.ts';

/** What was killed is gone in a few ms, unless the system is stuck: then nobody can help it. */
const LOOK_EVERY_MS = 10;
const MOST_LOOKS = 200;
/** A Unix socket's path has at most 104 (macOS) to 108 bytes; an id has 16. */
const LONGEST_RUN_FOLDER = 80;

/** Ends what a former life left behind when its watchdog was killed, too. */
export async function sweepFormerLives(stateId: string, log: Log): Promise<void> {
  if (!hasProc()) {
    log.warn(
      'no /proc on this system: memory is not measured or limited, and of an instance that ends only its ' +
        'own process group is ended with it',
    );
    return;
  }
  const marks = { prefixes: [`${stateId}/`], leaders: [] };
  const spared = new Set([process.pid]);
  const killed = sweep(systemProcesses, marks, spared);
  if (killed === 0) return;
  log.warn({ killed }, 'processes of a former life were left and have been killed');
  // Until they are gone they hold what the new ones want, such as a port. The system's time, not the clock's.
  for (let look = 0; look < MOST_LOOKS && sweep(systemProcesses, marks, spared) > 0; look++) {
    await setTimeout(LOOK_EVERY_MS);
  }
}

/** Below the state folder, or, where that makes too long a path for a socket, in a temporary folder. */
export async function makeRunFolder(folder: string): Promise<string> {
  const home = join(folder, 'run');
  const note = join(folder, 'run-elsewhere');
  await rm(home, { recursive: true, force: true });
  const elsewhere = await readFile(note, 'utf8').catch(() => '');
  if (elsewhere.includes('rouse-')) await rm(elsewhere, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (Buffer.byteLength(home) <= LONGEST_RUN_FOLDER) {
    await mkdir(home, { mode: 0o700 });
    return home;
  }
  const made = await mkdtemp(join(tmpdir(), 'rouse-'));
  await writeFile(note, made, { mode: 0o600 });
  return made;
}
