import { MessageChannel, Worker } from 'node:worker_threads';
import type { Activator } from '#activator/activator.ts';
import { createDataPlane } from '#activator/data-plane.ts';
import { createLocalClient } from '#bus/local.ts';
import type { ServeRequest } from '#cli/commands/serve.ts';
import { urlOf } from '#domain/address.ts';
import { formatDuration } from '#domain/units.ts';
import { systemClock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import { Fault } from '#lib/fault.ts';
import { createLog, type Log } from '#lib/log.ts';
import { announceModels, announceStart, checkFolder } from './announce.ts';
import type { ControlStart, FromControl, ToControl } from './control-messages.ts';
import { takeDataFolder } from './data-folder.ts';
import { serveWithWorkers } from './serve-workers.ts';

/** Of the drain time this much is kept for stopping instances after the last request has been answered. */
const STOP_MS = 5000;
/** Control makes little garbage at a time; without a limit the 10,000 models of a start leave it 100 MiB larger. */
const CONTROL_YOUNG_MB = 16;
/** The status that a shell expects after Ctrl-C. */
const INTERRUPTED = 130;

/**
 * The embedded platform: one process, one fate. The data plane has this thread for itself; control and the
 * runtime live in a worker thread, so that an fsync or a policy never delays a request.
 */
export async function serve(request: ServeRequest, version: string): Promise<number> {
  if (request.settings.workers > 0) return await serveWithWorkers(request, version);
  const { settings } = request;
  const terminal = process.stderr.isTTY;
  const log = createLog({ level: settings.logLevel, terminal });
  checkFolder(request.apply);
  const folder = takeDataFolder(settings.data);
  const { port1, port2 } = new MessageChannel();
  try {
    const activator = await createDataPlane(settings, {
      client: createLocalClient(port1),
      dataPlane: 'embedded',
      hasPeers: false,
      processes: 1,
      sharePort: false,
      version,
      clock: systemClock,
      log,
    });
    const scheme = settings.tls.length > 0 ? 'https' : 'http';
    const dataPlane = urlOf({ host: activator.host, port: activator.port }, scheme);
    const start: ControlStart = {
      settings,
      version,
      dataPlane,
      bus: port2,
      folder: { path: folder.path, stateId: folder.stateId },
      apply: request.apply,
      applied: false,
      watch: request.watch,
      terminal,
    };
    return await runWith(activator, start, log);
  } finally {
    folder.release();
  }
}

async function runWith(activator: Activator, start: ControlStart, log: Log): Promise<number> {
  const worker = new Worker(entryUrl('./control-worker', import.meta.url), {
    workerData: start,
    transferList: [start.bus],
    resourceLimits: { maxYoungGenerationSizeMb: CONTROL_YOUNG_MB },
  });
  const ended = Promise.withResolvers<number>();
  let closing = false;
  let control = '';

  worker.on('message', (message: FromControl) => {
    if (message.type === 'failed') ended.reject(new Fault('internal', message.message));
    else if (message.type === 'listening') {
      control = message.control;
      void activator.ready.then(() => announceStart(start, control));
    } else if (message.type === 'settled') announceModels(start, control, message.started);
  });
  worker.on('error', (error) => ended.reject(error));
  worker.on('exit', (code) => {
    if (!closing) log.error('The control thread has ended; without it nothing wakes.');
    ended.resolve(closing ? code : code || 1);
  });

  const stop = (signal: NodeJS.Signals): void => {
    if (closing) process.exit(INTERRUPTED);
    closing = true;
    const drain = start.settings.drain;
    log.info(`${signal}: ending within ${formatDuration(drain)}; once more ends at once.`);
    void activator.close(Math.max(0, drain - STOP_MS)).then(() => {
      const message: ToControl = { type: 'close', graceMs: Math.min(drain, STOP_MS) };
      worker.postMessage(message);
    });
    systemClock.after(drain + STOP_MS, () => {
      log.warn('The control thread did not end in time; it is ended by force.');
      void worker.terminate();
    });
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const reload = (): void => activator.reload();
  // Without certificates it stays the signal of a terminal that goes away.
  if (start.settings.tls.length > 0) process.on('SIGHUP', reload);
  try {
    return await ended.promise;
  } catch (error) {
    closing = true;
    await activator.close(0);
    await worker.terminate();
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    process.off('SIGHUP', reload);
  }
}
