import { type ChildProcess, fork } from 'node:child_process';
import type { StreamAddress } from '#bus/stream.ts';
import type { Clock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import { Fault } from '#lib/fault.ts';
import { sendTo } from '#lib/ipc.ts';
import type { Log } from '#lib/log.ts';
import { createSupervisor } from '#lib/supervisor.ts';
import type { RuntimeHost } from '#runtime/remote-host.ts';
import type { ControlSetup, FromControl, ToControlProcess } from './control-messages.ts';
import type { DataPlaneProcesses } from './data-plane-processes.ts';
import { createRuntimeChannel } from './runtime-channel.ts';
import type { Started } from './apply-at-start.ts';

/** Control as a process: there is one at most, and when it dies the next one takes over what it left. */
export interface ControlChild {
  /** Where it listens, for the first time. Rejects when it cannot start. */
  readonly listening: Promise<string>;
  /** Resolves when it has ended. */
  close(graceMs: number): Promise<void>;
  kill(): void;
}

/** Of the young generation; control makes little garbage at a time, see `serve.ts`. */
const SEMI_SPACE_MB = 4;

export function createControlChild(options: {
  setup: Omit<ControlSetup, 'applied'>;
  bus: StreamAddress;
  host: RuntimeHost;
  dataPlanes: Pick<DataPlaneProcesses, 'alive' | 'onAlive'>;
  environment: Readonly<Record<string, string>>;
  onSettled: (started: Started) => void;
  clock: Clock;
  log: Log;
}): ControlChild {
  const { bus, host, dataPlanes, environment, onSettled, clock, log } = options;
  const listening = Promise.withResolvers<string>();
  let { settings } = options.setup;
  let applied = false;
  let closing = false;
  let present: ChildProcess | undefined;

  function say(message: ToControlProcess): void {
    if (present) sendTo(present, message);
  }

  function hear(child: ChildProcess, message: FromControl): void {
    if (message.type === 'listening') {
      supervisor.ready(child);
      // Whoever comes after it listens where it did.
      settings = { ...settings, control: { ...settings.control, port: message.port } };
      listening.resolve(message.control);
    } else if (message.type === 'settled') {
      if (!applied) onSettled(message.started);
      applied = true;
    } else if (message.type === 'failed') {
      listening.reject(new Fault('internal', message.message));
      log.error(`control cannot start: ${message.message}`);
    } else if (message.type === 'leaving' && !closing) say({ type: 'close', graceMs: 0 });
  }

  function start(): ChildProcess {
    const child = fork(entryUrl('./control-process', import.meta.url), {
      env: { ...process.env, ...environment },
      execArgv: [...process.execArgv, `--max-semi-space-size=${SEMI_SPACE_MB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    present = child;
    host.serve(createRuntimeChannel(child));
    child.on('message', (message: FromControl) => hear(child, message));
    child.once('exit', (status, signal) => {
      present = undefined;
      listening.reject(new Fault('internal', `control ended early: ${signal ?? status}`));
    });
    const alive = dataPlanes.alive();
    say({ type: 'start', start: { ...options.setup, settings, applied, bus, alive } });
    return child;
  }

  listening.promise.catch(() => {});
  dataPlanes.onAlive((alive) => say({ type: 'alive', alive }));
  const supervisor = createSupervisor({ name: 'control', start, clock, log });
  return {
    listening: listening.promise,
    async close(graceMs) {
      closing = true;
      const ended = supervisor.close();
      say({ type: 'close', graceMs });
      await ended;
    },
    kill: () => supervisor.kill(),
  };
}
