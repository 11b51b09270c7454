import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock, Timer } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import type { Log } from '#lib/log.ts';
import type { Leader } from './sweep.ts';

/**
 * Keeps a watchdog alive and informed for as long as there is a Rouse.
 *
 * `setpriv --pdeathsig` before each program was measured, too: it makes a start 0.8 ms slower (1.2 → 2.0 ms),
 * reaches no grandchildren, and what it adds, that Rouse and its watchdog are killed in the same moment, the
 * next start of Rouse sets right.
 */
export interface Guard {
  add(leader: Leader): void;
  remove(pid: number): void;
  /** For tests that kill it. */
  pid(): number | undefined;
  close(): Promise<void>;
}

/** A watchdog that cannot run must not keep Rouse busy with starting it. */
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 60_000;

export function createGuard(options: {
  node: string;
  mark: string;
  runFolder: string;
  clock: Clock;
  log: Log;
}): Guard {
  const { node, mark, runFolder, clock, log } = options;
  const leaders = new Map<number, Leader>();
  let child: ChildProcess | undefined;
  let timer: Timer | undefined;
  let restartMs = FIRST_RESTART_MS;
  let closed = false;

  function tell(line: string): void {
    child?.stdin?.write(`${line}\n`);
  }

  function begin(): void {
    const program = fileURLToPath(entryUrl('./watchdog', import.meta.url));
    const args = ['--max-old-space-size=32', '--no-warnings', program, mark, runFolder];
    const started = spawn(node, args, {
      env: { PATH: process.env['PATH'] ?? '' },
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child = started;
    const startedAt = clock.now();
    // Broken pipe: its end is told by `exit`.
    started.stdin.on('error', () => {});
    started.once('error', (error) => lost(error.message, startedAt));
    started.once('exit', (status, signal) => lost(signal ?? `status ${status}`, startedAt));
    for (const { pid, startTicks } of leaders.values()) tell(`+${pid} ${startTicks}`);
  }

  function lost(how: string, startedAt: number): void {
    child = undefined;
    if (closed || timer) return;
    log.warn({ how }, 'the watchdog ended and is started again');
    if (clock.now() - startedAt > LONGEST_RESTART_MS) restartMs = FIRST_RESTART_MS;
    timer = clock.after(restartMs, () => {
      timer = undefined;
      begin();
    });
    restartMs = Math.min(restartMs * 2, LONGEST_RESTART_MS);
  }

  begin();
  return {
    add(leader) {
      leaders.set(leader.pid, leader);
      tell(`+${leader.pid} ${leader.startTicks}`);
    },
    remove(pid) {
      leaders.delete(pid);
      tell(`-${pid}`);
    },
    pid: () => child?.pid,
    async close() {
      closed = true;
      timer?.cancel();
      const ending = child;
      if (!ending?.pid || ending.exitCode !== null || ending.signalCode !== null) return;
      const exited = new Promise((resolve) => {
        ending.once('exit', resolve);
      });
      tell('.');
      await exited;
    },
  };
}
