import { flushCompileCache } from 'node:module';
import { createStreamHost } from '#bus/stream.ts';
import { systemClock } from '#lib/clock.ts';
import { compileEarly } from '#lib/compile-early.ts';
import { messageOf } from '#lib/fault.ts';
import { sendTo } from '#lib/ipc.ts';
import { createLog } from '#lib/log.ts';
import { createRemoteRuntime } from '#runtime/remote.ts';
import type { ControlProcessStart, FromControl, ToControlProcess } from './control-messages.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import { createRuntimeChannel } from './runtime-channel.ts';

/**
 * Control as a process of its own, started by `rouse serve --workers`, which it does not outlive. Instances and
 * data planes are not its children: when it dies they go on, and the next one takes them over.
 */

let control: ControlPlane | undefined;
let alive: readonly string[] = [];
let onAlive: (alive: readonly string[]) => void = () => {};

function say(message: FromControl, said?: () => void): void {
  sendTo(process, message, said);
}

async function run(start: ControlProcessStart): Promise<void> {
  compileEarly();
  const log = createLog({ level: start.settings.logLevel, terminal: start.terminal });
  alive = start.alive;
  control = await createControlPlane(start, {
    log,
    say,
    createRuntime: () => createRemoteRuntime({ channel: createRuntimeChannel(process), log }),
    createHost: () => createStreamHost({ listen: start.bus, clock: systemClock }),
    // It is not ours: what runs goes on.
    endRuntime: async () => {},
    onProcesses(listener) {
      onAlive = listener;
      listener(alive);
    },
  });
  // Else only an orderly end would write it.
  flushCompileCache();
}

function onMessage(message: ToControlProcess): void {
  if (message.type === 'start') {
    run(message.start).catch((error: unknown) => {
      say({ type: 'failed', message: messageOf(error) }, () => process.exit(1));
    });
  } else if (message.type === 'alive') {
    alive = message.alive;
    onAlive(alive);
  } else if (message.type === 'close') {
    void (control?.close(message.graceMs) ?? Promise.resolve()).then(() => process.exit(0));
  }
}

process.on('message', onMessage);
process.on('disconnect', () => process.exit());
// A terminal sends them to all of its processes; they are for the one that started the others.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('SIGTERM', () => say({ type: 'leaving' }));
