import { randomBytes, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createApi } from '#api/api.ts';
import { checkExposure, needsKey } from '#api/exposure.ts';
import { listenApi } from '#api/listen.ts';
import { createLocalFetch } from '#api/local.ts';
import type { BusHost } from '#bus/bus.ts';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { createClient } from '#cli/client.ts';
import { type ArtifactKeys, createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { type Control, createControl } from '#control/control.ts';
import { isLoopback, urlOf } from '#domain/address.ts';
import type { Actor } from '#domain/records.ts';
import type { KnativeSettings } from '#domain/server.ts';
import { systemClock, wallClock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { addLabels, labelsOf, mergeMetrics } from '#lib/prometheus.ts';
import type { Runtime } from '#runtime/runtime.ts';
import { type Artifacts } from '#store/artifacts.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { ControlSetup, FromControl } from './control-messages.ts';
import { type DataFolder, dataFolderAt } from './data-folder.ts';
import { applyAtStart } from './apply-at-start.ts';
import { findCurlWay } from './curl-way.ts';
import { makeFirstKey } from './first-key.ts';
import { makeClusterJobs, makeJobs } from './jobs/job-places.ts';
import { createModelPlatform } from './model-platform.ts';

const STARTER: Actor = { id: 'system:serve', role: 'deploy' };
const clock = systemClock;

/** What is different in a thread and in a process. */
export interface ControlPlaces {
  readonly log: Log;
  readonly say: (message: FromControl) => void;
  createRuntime(folder: DataFolder, artifacts: Artifacts): Promise<Runtime>;
  createHost(): Promise<BusHost>;
  /** At the end, when nobody asks it for anything any more. */
  endRuntime(runtime: Runtime, graceMs: number): Promise<void>;
  readonly onProcesses?: Parameters<typeof createControl>[0]['onProcesses'];
}

export interface ControlPlane {
  /** Resolves when all is ended that can be; what fails is logged. */
  close(graceMs: number): Promise<void>;
}

/** Control as a whole: store, runtime, policies and API. Resolves when it listens. */
export async function createControlPlane(
  setup: ControlSetup,
  places: ControlPlaces,
): Promise<ControlPlane> {
  const { settings, version } = setup;
  const { log, say, onProcesses } = places;
  const folder = dataFolderAt(setup.folder.path, setup.folder.stateId);
  const store = await createSqliteStore({ path: folder.database, clock });
  const isKeyed = (await store.list('key', { limit: 1 })).length > 0;
  checkExposure(settings, isKeyed || settings.firstKey !== undefined);
  const artifacts = await createArtifactFolder({ folder: folder.artifacts, clock });
  const platformSecret = folder.platformSecret();
  const artifactKeys = createArtifactKeys(platformSecret);
  const requests = await createSqliteRequests({
    path: folder.requests,
    limits: {
      requests: settings.requests.most,
      bytes: settings.requests.bytes,
      keepMs: settings.requests.keep,
    },
  });
  const local = await places.createRuntime(folder, artifacts);
  const { knative } = settings;
  const cluster = knative && (await createCluster(knative, local, artifactKeys, log));
  const runtime = cluster ? cluster.runtime : local;
  const jobs = cluster
    ? makeClusterJobs({ batch: knative?.batch, cluster, artifacts, folder, clock, log })
    : makeJobs({ runtime, artifacts, folder });
  const host = await places.createHost();
  const publisher = createPublisher({ host, epoch: randomUUID(), clock, log });
  const control = await createControl({
    store,
    artifacts,
    artifactKeys,
    runtime,
    publisher,
    clock,
    wall: wallClock,
    log,
    settings: {
      // Where pods fit is for the cluster to say.
      memoryBudget: knative ? Infinity : settings.memory,
      proofsAtOnce: availableParallelism(),
      retention: settings.retention,
      budgets: settings.budgets,
      prometheus: settings.prometheus.url,
    },
    ...(onProcesses && { onProcesses }),
    requests: {
      store: requests,
      settings: {
        anonymous: settings.requests.anonymous ?? isLoopback(settings.listen.host),
        deadline: settings.requests.deadline,
        webhookNetworks: settings.webhooks.allow,
      },
      dataPlane: setup.dataPlane,
      proxyProtocol: settings.proxyProtocol,
      platformSecret,
    },
    batch: {
      ...jobs,
      dataPlane: setup.dataPlane,
      proxyProtocol: settings.proxyProtocol,
      newId: () => randomBytes(3).toString('hex'),
    },
  });
  if (settings.firstKey !== undefined) {
    await makeFirstKey(settings.firstKey, { isKeyed, useCases: control.useCases });
  }
  const closing = new AbortController();
  const api = createApi({
    useCases: control.useCases,
    metrics: () => scrape(control, publisher, settings.workers > 0),
    ready: () => !closing.signal.aborted,
    allowedHosts: knative
      ? [...settings.controlHosts, new URL(knative.control).host]
      : settings.controlHosts,
    requireKey: needsKey(settings.control, settings.requireKey),
    version,
    dataPlane: () => setup.dataPlane,
    curlWay: () => findCurlWay(settings, setup.dataPlane, clock.now()),
    domain: settings.domain,
    log,
    clock,
    closing: closing.signal,
  });
  const listener = await listenApi(api, settings.control, clock);
  const url = urlOf(listener.address);
  say({ type: 'listening', control: url, port: listener.address.port });
  const { useCases } = control;
  const at = { dataPlane: setup.dataPlane, domain: settings.domain };
  const models = cluster?.followModels?.(createModelPlatform({ useCases, runtime, at }));
  if (setup.apply !== undefined) {
    const client = createClient({ server: url, fetch: createLocalFetch(api, STARTER), clock });
    const { apply, applied, watch } = setup;
    applyAtStart({ client, folder: apply, applied, watch, clock, signal: closing.signal })
      .then((started) => {
        if (started) say({ type: 'settled', started });
      })
      .catch((error: unknown) => {
        if (!closing.signal.aborted)
          log.error({ error: messageOf(error) }, 'the folder is not followed');
      });
  }
  return {
    async close(graceMs) {
      closing.abort();
      await end(log, [
        () => listener.close(),
        async () => await models?.close(),
        () => control.close(),
        async () => (runtime === local ? undefined : await runtime.close(graceMs)),
        () => places.endRuntime(local, graceMs),
        () => publisher.close(),
        () => requests.close(),
        () => store.close(),
      ]);
    },
  };
}

/** Loaded by those who need it. */
async function createCluster(
  settings: KnativeSettings,
  local: Runtime,
  keys: ArtifactKeys,
  log: Log,
): Promise<ClusterRuntime> {
  const { createClusterRuntime } = await import('./cluster-runtime.ts');
  return await createClusterRuntime({ settings, local, keys, clock, log });
}

/**
 * Several data planes are told apart, not added up: a sum falls when one of them dies or does not answer in time, and
 * a counter that falls is taken for one that began anew.
 */
async function scrape(control: Control, publisher: Publisher, apart: boolean): Promise<string> {
  const [own, planes] = await Promise.all([control.metrics(), publisher.scrape()]);
  const texts = planes.map(({ dataPlane, text }) =>
    apart ? addLabels(text, labelsOf({ worker: dataPlane })) : text,
  );
  return mergeMetrics([own, ...texts]);
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
}
