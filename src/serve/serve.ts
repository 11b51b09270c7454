import { MessageChannel, Worker } from 'node:worker_threads';
import type { Activator } from '#activator/activator.ts';
import { createDataPlane } from '#activator/data-plane.ts';
import { readCertificate } from '#activator/entry/certificates.ts';
import { createLocalClient } from '#bus/local.ts';
import type { ServeRequest } from '#cli/commands/serve.ts';
import type { ServerSettings } from '#domain/server.ts';
import { systemClock } from '#lib/clock.ts';
import { compileEarly } from '#lib/compile-early.ts';
import { entryUrl } from '#lib/entry.ts';
import { WRONG_USAGE } from '#lib/exit-status.ts';
import { Fault } from '#lib/fault.ts';
import { createLog, type Log } from '#lib/log.ts';
import { announceModels, announceStart, checkFolder } from './announce.ts';
import type { ControlStart, FromControl, ToControl } from './control-messages.ts';
import { makeControlSetup } from './control-setup.ts';
import { takeDataFolder } from './data-folder.ts';
import { followSignals, type HeldSignals, holdSignals } from './endings.ts';
import { serveWithWorkers } from './serve-workers.ts';

/** Control makes little garbage at a time; without a limit the 10,000 models of a start leave it 100 MiB larger. */
const CONTROL_YOUNG_MB = 6;

/** Signals that come while it starts are kept until there is something to close. */
export async function serve(request: ServeRequest, version: string): Promise<number> {
  const wrong = findWrongCertificate(request.settings);
  if (wrong !== undefined) {
    process.stderr.write(`error: ${wrong}\n`);
    return WRONG_USAGE;
  }
  compileEarly();
  const held = holdSignals(systemClock);
  try {
    const run = request.settings.workers > 0 ? serveWithWorkers : serveEmbedded;
    return await run(request, version, held);
  } finally {
    held.release();
  }
}

/** As with all settings, before anything is begun. */
function findWrongCertificate({ tls }: ServerSettings): string | undefined {
  try {
    for (const files of tls) readCertificate(files);
    return undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === 'invalid') return error.message;
    throw error;
  }
}

/**
 * The embedded platform: one process, one fate. The data plane has this thread for itself; control and the
 * runtime live in a worker thread, so that an fsync or a policy never delays a request.
 */
async function serveEmbedded(
  request: ServeRequest,
  version: string,
  held: HeldSignals,
): Promise<number> {
  const { settings } = request;
  const log = createLog({ level: settings.logLevel, terminal: process.stderr.isTTY });
  checkFolder(request.apply);
  const folder = takeDataFolder(settings.data);
  const { port1, port2 } = new MessageChannel();
  try {
    const activator = await createDataPlane(settings, {
      client: createLocalClient(port1),
      dataPlane: 'embedded',
      hasOthers: false,
      processes: 1,
      sharePort: false,
      version,
      clock: systemClock,
      log,
    });
    const { host, port } = activator;
    const setup = makeControlSetup(request, { version, folder, at: { host, port } });
    return await runWith(activator, { ...setup, applied: false, bus: port2 }, held, log);
  } finally {
    folder.release();
  }
}

async function runWith(
  activator: Activator,
  start: ControlStart,
  held: HeldSignals,
  log: Log,
): Promise<number> {
  const worker = new Worker(entryUrl('./control-worker', import.meta.url), {
    workerData: start,
    transferList: [start.bus],
    resourceLimits: { maxYoungGenerationSizeMb: CONTROL_YOUNG_MB },
  });
  const ended = Promise.withResolvers<number>();
  let control = '';

  worker.on('message', (message: FromControl) => {
    if (message.type === 'failed') ended.reject(new Fault('internal', message.message));
    else if (message.type === 'listening') {
      control = message.control;
      void activator.ready.then(() => announceStart(start, control));
    } else if (message.type === 'settled' && !signals.isClosing())
      announceModels(start, control, message.started);
  });
  worker.on('error', (error) => ended.reject(error));
  worker.on('exit', (code) => {
    if (!signals.isClosing()) log.error('The control thread has ended; without it nothing wakes.');
    ended.resolve(signals.isClosing() ? code : code || 1);
  });

  const signals = followSignals({
    settings: start.settings,
    close({ drainMs, stopMs }) {
      const message: ToControl = { type: 'close', graceMs: stopMs };
      void activator.close(drainMs).then(() => worker.postMessage(message));
    },
    kill: () => void worker.terminate(),
    reload: () => activator.reload(),
    held,
    clock: systemClock,
    log,
  });
  try {
    return await ended.promise;
  } catch (error) {
    signals.off();
    await activator.close(0);
    await worker.terminate();
    throw error;
  } finally {
    signals.off();
  }
}
