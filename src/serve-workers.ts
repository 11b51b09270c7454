import { join } from 'node:path';
import type { ServeRequest } from '#cli/commands/serve.ts';
import { urlOf } from '#domain/address.ts';
import { formatDuration } from '#domain/units.ts';
import { systemClock } from '#lib/clock.ts';
import { createLog, type Log } from '#lib/log.ts';
import { createRuntimeHost } from '#runtime/remote-host.ts';
import type { LocalRuntime } from '#runtime/local/local.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { announceModels, announceStart, checkFolder } from './announce.ts';
import { createControlChild } from './control-child.ts';
import type { ControlSetup } from './control-messages.ts';
import { takeDataFolder, type TakenFolder } from './data-folder.ts';
import { createDataPlaneProcesses } from './data-plane-processes.ts';
import { createPlatformRuntime } from './local-runtime.ts';
import { findSharedPort } from './shared-port.ts';

/** Of the drain time this much is kept for stopping instances after the last request has been answered. */
const STOP_MS = 5000;
/** The status that a shell expects after Ctrl-C. */
const INTERRUPTED = 130;

const clock = systemClock;

/**
 * The platform in several processes. This one starts the others and holds the instances, so that control and
 * data planes may die and come back. When it dies itself, the others notice that their channel to it has ended,
 * and the watchdog of the instances ends whoever does not.
 */
export async function serveWithWorkers(request: ServeRequest, version: string): Promise<number> {
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
      const port = await findSharedPort(settings.listen);
      const listen = { ...settings.listen, port };
      const own = { ...request, settings: { ...settings, listen } };
      return await runWith(makeSetup(own, version, folder), runtime, log);
    } finally {
      await runtime.close(Math.min(settings.drain, STOP_MS));
    }
  } finally {
    folder.release();
  }
}

function makeSetup(
  { settings, apply, watch }: ServeRequest,
  version: string,
  folder: TakenFolder,
): Omit<ControlSetup, 'applied'> {
  const scheme = settings.tls.length > 0 ? 'https' : 'http';
  return {
    settings,
    version,
    dataPlane: urlOf(settings.listen, scheme),
    folder: { path: folder.path, stateId: folder.stateId },
    apply,
    watch,
    terminal: process.stderr.isTTY,
  };
}

async function runWith(
  setup: Omit<ControlSetup, 'applied'>,
  runtime: LocalRuntime,
  log: Log,
): Promise<number> {
  const { settings, version } = setup;
  const { drain } = settings;
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
    onSettled: (started) => void begun.then((at) => announceModels(setup, at, started)),
    clock,
    log,
  });
  const begun = Promise.all([control.listening, dataPlanes.ready]).then(([listening]) => listening);
  const ended = Promise.withResolvers<number>();
  let closing = false;

  function kill(): void {
    dataPlanes.kill();
    control.kill();
  }

  async function close(): Promise<number> {
    await dataPlanes.close(Math.max(0, drain - STOP_MS));
    await control.close(Math.min(drain, STOP_MS));
    return 0;
  }

  const stop = (signal: NodeJS.Signals): void => {
    if (closing) {
      kill();
      process.exit(INTERRUPTED);
    }
    closing = true;
    log.info(`${signal}: ending within ${formatDuration(drain)}; once more ends at once.`);
    close().then(ended.resolve, ended.reject);
    clock.after(drain + STOP_MS, () => {
      log.warn('Not all processes ended in time; they are ended by force.');
      kill();
    });
  };
  const reload = (): void => dataPlanes.reload();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Without certificates it stays the signal of a terminal that goes away.
  if (settings.tls.length > 0) process.on('SIGHUP', reload);
  try {
    begun
      .then((listening) => announceStart(setup, listening))
      .catch((error: unknown) => {
        if (!closing) ended.reject(error);
      });
    return await ended.promise;
  } finally {
    closing = true;
    host.close();
    kill();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGHUP', reload);
  }
}
