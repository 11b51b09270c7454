import { join } from 'node:path';
import type { ServeRequest } from '#cli/commands/serve.ts';
import type { HostPort } from '#domain/address.ts';
import { systemClock } from '#lib/clock.ts';
import { createLog, type Log } from '#lib/log.ts';
import { createRuntimeHost } from '#runtime/remote-host.ts';
import type { LocalRuntime } from '#runtime/local/local.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { announceModels, announceStart, checkFolder } from './announce.ts';
import { createControlChild } from './control-child.ts';
import type { ControlSetup } from './control-messages.ts';
import { makeControlSetup } from './control-setup.ts';
import { takeDataFolder } from './data-folder.ts';
import { createDataPlaneProcesses } from './data-plane-processes.ts';
import { followSignals, gracesOf, type HeldSignals } from './endings.ts';
import { createPlatformRuntime } from './local-runtime.ts';
import { findSharedPort, holdPort } from './shared-port.ts';

const clock = systemClock;

/**
 * The platform in several processes. This one starts the others and holds the instances, so that control and
 * data planes may die and come back. When it dies itself, the others notice that their channel to it has ended,
 * and the watchdog of the instances ends whoever does not.
 */
export async function serveWithWorkers(
  request: ServeRequest,
  version: string,
  held: HeldSignals,
): Promise<number> {
  const { settings } = request;
  const log = createLog({ level: settings.logLevel, terminal: process.stderr.isTTY });
  checkFolder(request.apply);
  const folder = takeDataFolder(settings.data);
  try {
    const artifacts = await createArtifactFolder({
      folder: folder.artifacts,
      temporary: 'tmp-runtime',
    });
    // It ends what a former life may have left: a data plane that holds the port, control that writes.
    const runtime = await createPlatformRuntime({ folder, artifacts, settings, clock, log });
    try {
      const listen = { ...settings.listen, port: await findSharedPort(settings.listen) };
      const control = await holdFree(settings.control);
      const own = { ...request, settings: { ...settings, listen, control } };
      const setup = makeControlSetup(own, { version, folder, at: listen });
      return await runWith(setup, runtime, held, log);
    } finally {
      await runtime.close(gracesOf(settings).stopMs);
    }
  } finally {
    folder.release();
  }
}

/** Control says by itself when the port that it is to have is in use. */
async function holdFree(at: HostPort): Promise<HostPort> {
  return at.port === 0 ? { ...at, port: await holdPort(at) } : at;
}

async function runWith(
  setup: Omit<ControlSetup, 'applied'>,
  runtime: LocalRuntime,
  held: HeldSignals,
  log: Log,
): Promise<number> {
  const { settings, version } = setup;
  // What is started again need not read its program anew: callers may be waiting for it.
  const bytecode = join(runtime.life.folder, 'bytecode');
  const environment = { ...runtime.life.environment, NODE_COMPILE_CACHE: bytecode };
  const bus = { path: join(runtime.life.folder, 'bus.sock') };
  const host = createRuntimeHost({ runtime, clock });
  const dataPlanes = createDataPlaneProcesses({
    count: settings.workers,
    start: { settings, bus, version },
    environment,
    clock,
    log,
  });
  const control = createControlChild({
    setup,
    bus,
    host,
    dataPlanes,
    environment,
    onSettled: (started) =>
      void begun.then((at) => {
        if (!signals.isClosing()) announceModels(setup, at, started);
      }),
    clock,
    log,
  });
  const begun = Promise.all([control.listening, dataPlanes.ready]).then(([listening]) => listening);
  const ended = Promise.withResolvers<number>();

  function kill(): void {
    dataPlanes.kill();
    control.kill();
  }

  const signals = followSignals({
    settings,
    close({ drainMs, stopMs }) {
      dataPlanes
        .close(drainMs)
        .then(() => control.close(stopMs))
        .then(() => ended.resolve(0), ended.reject);
    },
    kill,
    reload: () => dataPlanes.reload(),
    held,
    clock,
    log,
  });
  try {
    begun
      .then((listening) => announceStart(setup, listening))
      .catch((error: unknown) => {
        if (!signals.isClosing()) ended.reject(error);
      });
    return await ended.promise;
  } finally {
    signals.off();
    host.close();
    kill();
  }
}
