import { parentPort, workerData } from 'node:worker_threads';
import { createLocalHost } from '#bus/local.ts';
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { createLog } from '#lib/log.ts';
import type { ControlStart, FromControl, ToControl } from './control-messages.ts';
import { createControlPlane } from './control-plane.ts';
import { createPlatformRuntime } from './local-runtime.ts';

/** The control thread of the embedded platform: store, runtime, policies and API, away from the requests. */

const start: ControlStart = workerData;
const { settings } = start;
const log = createLog({ level: settings.logLevel, terminal: start.terminal });

function say(message: FromControl): void {
  parentPort?.postMessage(message);
}

async function run(): Promise<void> {
  const control = await createControlPlane(start, {
    log,
    say,
    createRuntime: (folder, artifacts) =>
      createPlatformRuntime({ folder, artifacts, settings, clock: systemClock, log }),
    createHost: async () => createLocalHost(start.bus),
    endRuntime: (runtime, graceMs) => runtime.close(graceMs),
  });
  parentPort?.once('message', ({ graceMs }: ToControl) => {
    void control.close(graceMs).then(() => parentPort?.close());
  });
}

run().catch((error: unknown) => {
  say({ type: 'failed', message: messageOf(error) });
  process.exitCode = 1;
  parentPort?.close();
});
