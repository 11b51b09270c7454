import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import type { Log } from '#lib/log.ts';
import { helperEnvironment } from '../environment.ts';
import { createAttended } from './attended.ts';
import type { Leader } from './sweep.ts';

/**
 * Keeps a watchdog alive and informed for as long as there is a Rouse. One that hangs is replaced.
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

export function createGuard(options: {
  node: string;
  mark: string;
  runFolder: string;
  clock: Clock;
  log: Log;
}): Guard {
  const { node, mark, runFolder, clock, log } = options;
  const leaders = new Map<number, Leader>();
  const watchdog = createAttended({
    name: 'the watchdog',
    start,
    ask: (upTo) => tell(`?${upTo}`),
    goodbye: () => tell('.'),
    clock,
    log,
  });

  function start(): ChildProcess {
    const program = fileURLToPath(entryUrl('./watchdog', import.meta.url));
    const args = ['--max-old-space-size=32', '--no-warnings', program, mark, runFolder];
    const child = spawn(node, args, {
      env: { PATH: process.env['PATH'] ?? '', ...helperEnvironment(process.env) },
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    // Broken pipe: its end is told by `exit`.
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('latin1').on('data', (answers: string) => hear(child, answers));
    for (const { pid, startTicks } of leaders.values())
      child.stdin.write(`+${pid} ${startTicks}\n`);
    return child;
  }

  function tell(line: string): void {
    watchdog.child()?.stdin?.write(`${line}\n`);
  }

  /** A number that comes in two pieces is not the one that is waited for, and asked for again. */
  function hear(child: ChildProcess, answers: string): void {
    watchdog.heard(child);
    watchdog.confirmed(Number(answers.trim().split('\n').at(-1)));
  }

  function order(line: string): void {
    tell(line);
    watchdog.ordered();
  }

  return {
    add(leader) {
      leaders.set(leader.pid, leader);
      order(`+${leader.pid} ${leader.startTicks}`);
    },
    remove(pid) {
      leaders.delete(pid);
      order(`-${pid}`);
    },
    pid: () => watchdog.child()?.pid,
    close: () => watchdog.close(),
  };
}
