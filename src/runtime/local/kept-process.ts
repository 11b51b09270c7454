import type { ChildProcess } from 'node:child_process';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';

/** A process of Rouse's own that is there as long as Rouse is: when it ends, another takes its place. */
export interface KeptProcess {
  /** Undefined: it has just ended, and the next start waits. */
  current(): ChildProcess | undefined;
  /** Lets it go: `tell` asks it to. Resolves when it has ended. */
  close(tell: (child: ChildProcess) => void): Promise<void>;
}

/** A process that cannot run must not keep Rouse busy with starting it. */
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 60_000;

export function createKeptProcess(options: {
  /** "the watchdog". */
  readonly name: string;
  readonly start: () => ChildProcess;
  readonly onLost?: () => void;
  readonly clock: Clock;
  readonly log: Log;
}): KeptProcess {
  const { name, start, onLost, clock, log } = options;
  let child: ChildProcess | undefined;
  let timer: Timer | undefined;
  let failures = 0;
  let closed = false;

  function begin(): void {
    const startedAt = clock.now();
    const started = start();
    child = started;
    started.once('error', (error) => lost(started, error.message, startedAt));
    started.once('exit', (status, signal) =>
      lost(started, signal ?? `status ${status}`, startedAt),
    );
  }

  function lost(ended: ChildProcess, how: string, startedAt: number): void {
    if (ended !== child) return;
    child = undefined;
    if (closed) return;
    log.warn({ how }, `${name} ended and is started again`);
    onLost?.();
    failures = clock.now() - startedAt > LONGEST_RESTART_MS ? 1 : failures + 1;
    timer = clock.after(backoffMs(failures, FIRST_RESTART_MS, LONGEST_RESTART_MS), begin);
  }

  begin();
  return {
    current: () => child,
    async close(tell) {
      closed = true;
      timer?.cancel();
      const ending = child;
      if (!ending?.pid || ending.exitCode !== null || ending.signalCode !== null) return;
      const exited = new Promise((resolve) => {
        ending.once('exit', resolve);
      });
      tell(ending);
      await exited;
    },
  };
}
