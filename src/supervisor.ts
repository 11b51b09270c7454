import type { ChildProcess } from 'node:child_process';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { decideRestart } from '#policies/backoff.ts';

/**
 * Keeps one place filled: there is always a process in it.
 *
 * 1. At any time, until it is closed, there is one that holds the place, or a timer for the next.
 * 2. One that is relieved lives on beside its successor until it ends; its end starts nobody.
 */
export interface Supervisor {
  /** Has another process take the place at once. */
  relieve(): void;
  /** Nobody takes the place any more. Resolves when the last one that had it has ended. */
  close(): Promise<void>;
  kill(): void;
}

export function createSupervisor(options: {
  /** For the log: "a data plane". */
  name: string;
  start: () => ChildProcess;
  clock: Clock;
  log: Log;
}): Supervisor {
  const { name, clock, log } = options;
  const living = new Set<ChildProcess>();
  const empty = Promise.withResolvers<void>();
  let holder: ChildProcess | undefined;
  let timer: Timer | undefined;
  let memory = 0;
  let closed = false;

  function begin(): void {
    timer = undefined;
    const child = options.start();
    const startedAt = clock.now();
    holder = child;
    living.add(child);
    child.once('exit', (status, signal) => onEnd(child, startedAt, signal ?? `status ${status}`));
    // Without a pid it was never started, and there is no 'exit'.
    child.on('error', (error) => {
      if (child.pid === undefined) onEnd(child, startedAt, error.message);
    });
  }

  function onEnd(child: ChildProcess, startedAt: number, how: string): void {
    living.delete(child);
    if (closed && living.size === 0) empty.resolve();
    if (closed || holder !== child) return;
    const ranMs = clock.now() - startedAt;
    const next = decideRestart(memory, ranMs);
    memory = next.memory;
    log.warn({ pid: child.pid, how, ranMs: Math.round(ranMs) }, `${name} ended: ${next.why}`);
    timer = clock.after(next.decision, begin);
  }

  begin();
  return {
    relieve() {
      if (closed) return;
      timer?.cancel();
      begin();
    },
    async close() {
      closed = true;
      timer?.cancel();
      if (living.size === 0) empty.resolve();
      await empty.promise;
    },
    kill() {
      for (const child of living) child.kill('SIGKILL');
    },
  };
}
