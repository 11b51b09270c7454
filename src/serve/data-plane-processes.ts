import { type ChildProcess, fork } from 'node:child_process';
import type { DataPlaneStart, FromDataPlane, ToDataPlane } from '#activator/process-messages.ts';
import type { Clock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import { Fault } from '#lib/fault.ts';
import { sendTo } from '#lib/ipc.ts';
import type { Log } from '#lib/log.ts';
import { createSupervisor } from '#lib/supervisor.ts';

/**
 * The data planes as processes that share a port.
 *
 * 1. An id stands for one process and is never used again.
 * 2. Who is told of as gone has ended: the system has closed its connections.
 * 3. One that is asked by a signal to end goes on until another has taken its place.
 */
export interface DataPlaneProcesses {
  /** All have a routing state. Rejects when one cannot start. */
  readonly ready: Promise<void>;
  /** Called with the ids of those that live, at each change. */
  onAlive(listener: (alive: readonly string[]) => void): void;
  alive(): readonly string[];
  /** Read the certificates again. */
  reload(): void;
  /** All accept nothing new and finish what runs, for at most `graceMs`. Resolves when they have ended. */
  close(graceMs: number): Promise<void>;
  kill(): void;
}

export function createDataPlaneProcesses(options: {
  count: number;
  start: Omit<DataPlaneStart, 'dataPlane' | 'processes' | 'sharePort'>;
  environment: Readonly<Record<string, string>>;
  clock: Clock;
  log: Log;
}): DataPlaneProcesses {
  const { count, environment, clock, log } = options;
  const { drain } = options.start.settings;
  const living = new Map<string, ChildProcess>();
  const listeners: ((alive: readonly string[]) => void)[] = [];
  const allReady = Promise.withResolvers<void>();
  let started = 0;
  let ready = 0;
  let closing = false;

  function tell(): void {
    const alive = [...living.keys()];
    for (const listener of listeners) listener(alive);
  }

  function begin(dataPlane: string): ChildProcess {
    const child = fork(entryUrl('../../activator/main', import.meta.url), {
      env: { ...process.env, ...environment },
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const start = { ...options.start, dataPlane, processes: count, sharePort: true };
    say(child, { type: 'start', start });
    living.set(dataPlane, child);
    child.once('exit', (status, signal) => {
      living.delete(dataPlane);
      tell();
      allReady.reject(new Fault('internal', `a data plane ended early: ${signal ?? status}`));
    });
    tell();
    return child;
  }

  function createPlace() {
    const relieved = new Set<ChildProcess>();

    function hear(child: ChildProcess, message: FromDataPlane): void {
      if (message.type === 'failed') {
        allReady.reject(new Fault('unavailable', message.message));
        log.error(message.message);
      } else if (message.type === 'ready') {
        supervisor.ready(child);
        if (++ready === count) allReady.resolve();
        for (const one of relieved) say(one, { type: 'close', graceMs: drain });
      } else if (!closing) {
        relieved.add(child);
        child.once('exit', () => relieved.delete(child));
        supervisor.relieve();
      }
    }

    const supervisor = createSupervisor({
      name: 'a data plane',
      start() {
        const child = begin(`worker-${++started}`);
        child.on('message', (message: FromDataPlane) => hear(child, message));
        return child;
      },
      clock,
      log,
    });
    return supervisor;
  }

  const supervisors = Array.from({ length: count }, createPlace);
  allReady.promise.catch(() => {});
  return {
    ready: allReady.promise,
    onAlive: (listener) => listeners.push(listener),
    alive: () => [...living.keys()],
    reload() {
      for (const child of living.values()) say(child, { type: 'reload' });
    },
    async close(graceMs) {
      closing = true;
      const ended = supervisors.map((supervisor) => supervisor.close());
      for (const child of living.values()) say(child, { type: 'close', graceMs });
      await Promise.all(ended);
    },
    kill() {
      for (const supervisor of supervisors) supervisor.kill();
    },
  };
}

function say(child: ChildProcess, message: ToDataPlane): void {
  sendTo(child, message);
}
