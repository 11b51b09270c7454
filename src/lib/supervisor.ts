import type { ChildProcess } from 'node:child_process';
import { backoffMs } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { Log } from './log.ts';

/** A program that cannot run must not keep Rouse busy with starting it. */
const FIRST_RESTART_MS = 1000;
const LONGEST_RESTART_MS = 60_000;
/** What ran for so long was not broken from the start. */
const SOUND_MS = 10_000;
/** That are left of one that was ready: the program can run, and who has it killed again and again waits a second. */
const FAILURES_AFTER_READY = 1;

/**
 * Keeps one place filled: there is always a process in it.
 *
 * 1. At any time, until it is closed, there is one that holds the place, or a timer for the next.
 * 2. One that is relieved lives on beside its successor until it ends; its end starts nobody.
 */
export interface Supervisor {
  /** Who has the place; undefined: nobody, until the next is started. */
  holder(): ChildProcess | undefined;
  /** It does its work: that it ends now is not for its start. Nothing, if it has not the place. */
  ready(child: ChildProcess): void;
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
  /** The place is empty. */
  onLost?: () => void;
  clock: Clock;
  log: Log;
}): Supervisor {
  const { name, clock, log } = options;
  const living = new Set<ChildProcess>();
  const empty = Promise.withResolvers<void>();
  let holder: ChildProcess | undefined;
  let timer: Timer | undefined;
  /** That ended soon after their start, in a row. The first can be bad luck. */
  let failures = 0;
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
    holder = undefined;
    const ranMs = Math.round(clock.now() - startedAt);
    failures = ranMs >= SOUND_MS ? 0 : failures + 1;
    const pause = backoffMs(failures - 1, FIRST_RESTART_MS, LONGEST_RESTART_MS);
    const when = pause === 0 ? 'at once' : `after ${pause / 1000} s`;
    log.warn({ pid: child.pid, how, ranMs }, `${name} ended, and is started again ${when}`);
    timer = clock.after(pause, begin);
    options.onLost?.();
  }

  begin();
  return {
    holder: () => holder,
    ready(child) {
      if (child === holder) failures = Math.min(failures, FAILURES_AFTER_READY);
    },
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
