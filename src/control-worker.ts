import { randomUUID } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { createApi } from '#api/api.ts';
import { checkExposure, needsKey } from '#api/exposure.ts';
import { listenApi } from '#api/listen.ts';
import { createLocalFetch } from '#api/local.ts';
import { createLocalHost } from '#bus/local.ts';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { createClient } from '#cli/client.ts';
import { type Control, createControl } from '#control/control.ts';
import { urlOf } from '#domain/address.ts';
import type { Actor } from '#domain/records.ts';
import { systemClock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import { messageOf } from '#lib/fault.ts';
import { createLog, type Log } from '#lib/log.ts';
import { createLocalRuntime } from '#runtime/local/local.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { ControlStart, FromControl, ToControl } from './control-messages.ts';
import { dataFolderAt } from './data-folder.ts';
import { mergeMetrics } from './metrics-text.ts';
import { applyAtStart } from './sources.ts';

/** The control thread of the embedded platform: store, runtime, policies and API, away from the requests. */

const NODE = hostname();
const STARTER: Actor = { id: 'system:serve', role: 'deploy' };

const start: ControlStart = workerData;
const { settings, version } = start;
const log = createLog({ level: settings.logLevel, terminal: start.terminal });
const clock = systemClock;

function say(message: FromControl): void {
  parentPort?.postMessage(message);
}

async function run(): Promise<void> {
  const folder = dataFolderAt(start.folder.path, start.folder.stateId);
  const store = await createSqliteStore({ path: folder.database, clock });
  checkExposure(settings, (await store.list('key', { limit: 1 })).length);
  const artifacts = await createArtifactFolder({ folder: folder.artifacts });
  const runtime = await createLocalRuntime({
    folder: folder.runtime,
    stateId: folder.stateId,
    node: NODE,
    programs: programs(),
    artifacts,
    readSecret: (namespace, name) => folder.readSecret(namespace, name),
    pool: settings.pool,
    clock,
    log,
  });
  const host = createLocalHost(start.bus);
  const publisher = createPublisher({ host, epoch: randomUUID(), clock });
  const control = await createControl({
    store,
    artifacts,
    runtime,
    publisher,
    clock,
    log,
    settings: { memoryBudget: settings.memory, proofsAtOnce: availableParallelism() },
  });
  const closing = new AbortController();
  const api = createApi({
    useCases: control.useCases,
    metrics: () => scrape(control, publisher),
    ready: () => !closing.signal.aborted,
    allowedHosts: settings.controlHosts,
    requireKey: needsKey(settings.control, settings.requireKey),
    version,
    dataPlane: () => start.dataPlane,
    domain: settings.domain,
    log,
    clock,
    closing: closing.signal,
  });
  const listener = await listenApi(api, settings.control, clock);
  const url = urlOf(listener.address);
  say({ type: 'listening', control: url });
  if (start.apply !== undefined) {
    const client = createClient({ server: url, fetch: createLocalFetch(api, STARTER), clock });
    const options = { client, folder: start.apply, watch: start.watch, clock };
    applyAtStart({ ...options, signal: closing.signal })
      .then((started) => say({ type: 'settled', started }))
      .catch((error: unknown) =>
        log.error({ error: messageOf(error) }, 'the folder is not followed'),
      );
  }
  parentPort?.once('message', ({ graceMs }: ToControl) => {
    closing.abort();
    void end(log, [
      () => listener.close(),
      () => control.close(),
      () => runtime.close(graceMs),
      () => publisher.close(),
      () => store.close(),
    ]);
  });
}

function fileOf(entry: string): string {
  return fileURLToPath(entryUrl(entry, import.meta.url));
}

function programs(): { serve: string[]; inspect: string[]; python: string[] } {
  const node = [process.execPath, '--no-warnings'];
  return {
    serve: [...node, fileOf('../functions/serve')],
    inspect: [...node, fileOf('../functions/inspect')],
    python: ['python3', fileURLToPath(new URL('../functions/python/serve.py', import.meta.url))],
  };
}

async function scrape(control: Control, publisher: Publisher): Promise<string> {
  const [own, planes] = await Promise.all([control.metrics(), publisher.scrape()]);
  return mergeMetrics([own, ...planes]);
}

/** Each step is tried, whatever became of the one before. */
async function end(log: Log, steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      log.error({ error: messageOf(error) }, 'closing failed in part');
    }
  }
  parentPort?.close();
}

run().catch((error: unknown) => {
  say({ type: 'failed', message: messageOf(error) });
  process.exitCode = 1;
  parentPort?.close();
});
