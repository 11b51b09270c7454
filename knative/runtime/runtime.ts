import { isDeepStrictEqual } from 'node:util';
import { modelOf, partsOfModelKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { callEach } from '#lib/listeners.ts';
import type { Log } from '#lib/log.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime, RuntimeEvent, RuntimeRoutes } from '#runtime/runtime.ts';
import type { Kube } from '../api/kube.ts';
import type { OwnerReference } from '../api/objects.ts';
import { PODS, SERVICES } from '../api/resources.ts';
import type { Servers } from '../manifests/container.ts';
import {
  isKeptElsewhere,
  isMadeFor,
  modelKeyOfService,
  revisionKeyOf,
} from '../manifests/labels.ts';
import { serviceName } from '../manifests/names.ts';
import { rehearse } from './apply.ts';
import { createCluster } from './cluster.ts';
import { createFailures } from './failures.ts';
import { type Installed, readInstalled } from './installed.ts';
import { createPodInstances } from './instances.ts';
import { readLogs } from './logs.ts';
import type { MetricSource } from '../metrics-api/values.ts';
import { type ModelLoop, createModelLoop } from './model-loop.ts';
import { createWaits } from './waits.ts';

/** Instances are pods of Knative Services. */
export interface KnativeRuntime extends Runtime {
  /** Knative's addresses of models. */
  readonly routes: RuntimeRoutes;
  /** What HorizontalPodAutoscalers follow. */
  readonly metrics: MetricSource;
}

export interface KnativeRuntimeOptions {
  readonly kube: Kube;
  readonly servers: Servers;
  /** What a model belongs to, by the model's key, if it belongs to something. */
  readonly ownerOf: (model: string) => OwnerReference | undefined;
  /** What needs no cluster: it looks into files, and reaches what runs elsewhere (runtime `url`). Its owner's to close. */
  readonly local: Pick<
    Runtime,
    'inspect' | 'prepare' | 'want' | 'release' | 'resume' | 'instances' | 'onEvent'
  >;
  readonly clock: Clock;
  /** A number from 0 to 1. */
  readonly roll: () => number;
  readonly log: Log;
}

/** Knative may be upgraded or set up anew meanwhile. */
const REREAD_MS = 60_000;

/**
 * When it resolves it knows what there is in the cluster. Throws Fault `unavailable` when that cannot be found out.
 *
 * What runs is the cluster's: `close` leaves it as it is, and the next life finds it. A pod that is to go drains by
 * itself, so nothing waits for `release`. What another Rouse on the cluster keeps is left alone, unless it is asked for
 * here, too.
 */
export async function createKnativeRuntime(
  options: KnativeRuntimeOptions,
): Promise<KnativeRuntime> {
  const { kube, local, clock, log } = options;
  let installed = await readInstalled(kube, log);
  const listeners: ((event: RuntimeEvent) => void)[] = [];
  const failures = createFailures({ clock, emit });
  const pods = createPodInstances({ failures, emit });
  const waits = createWaits(emit);
  const hasPods = (revision: string): boolean => pods.hasPods(revision);
  const models = new Map<string, ModelLoop>();
  const desired = new Map<string, number>();
  let closed = false;

  function emit(event: RuntimeEvent): void {
    callEach(listeners, event, log);
  }
  local.onEvent(emit);

  const cluster = createCluster({
    ...options,
    listener: {
      onModel: (model) => models.get(model)?.ask(),
      onServiceGone: (model) => models.get(model)?.serviceGone(),
      onPod: (pod, isNew) => pods.set(pod, isNew),
      onPodGone: (pod) => pods.gone(pod),
      onTrouble() {
        for (const loop of models.values()) loop.ask();
      },
    },
  });
  await cluster.synced.catch(async (error: unknown) => {
    await cluster.close();
    throw error;
  });

  const timers = new Timers(clock);
  timers.every(REREAD_MS, () => {
    readInstalled(kube, log).then(setInstalled, (error: unknown) => {
      log.warn({ err: messageOf(error) }, 'which Knative is installed is not known now');
    });
  });

  function setInstalled(read: Installed): void {
    if (isDeepStrictEqual(installed, read)) return;
    installed = read;
    for (const loop of models.values()) loop.ask();
  }

  function loopOf(model: string): ModelLoop {
    const known = models.get(model);
    if (known) return known;
    const made = createModelLoop(partsOfModelKey(model), {
      ...options,
      ...cluster,
      installed: () => installed,
      failures,
      waits,
      hasPods,
      podsState: (revision) => pods.stateOf(revision),
    });
    models.set(model, made);
    return made;
  }

  function isOfAnother(model: string): boolean {
    const { namespace, model: name } = partsOfModelKey(model);
    const service = cluster.services.get(namespace, serviceName(name));
    return service !== undefined && isKeptElsewhere(service, options.servers.artifactsUrl);
  }

  async function forget(model: string): Promise<void> {
    const loop = models.get(model);
    // Who makes it anew meanwhile gets a loop of its own.
    models.delete(model);
    await loop?.close();
    const { namespace, model: name } = partsOfModelKey(model);
    const place = { namespace, name: serviceName(name) };
    // What the loop has applied while the watch was away, the mirror does not know.
    const made = await kube.get(SERVICES, place);
    if (!made || !isMadeFor(model, made)) return;
    await kube.remove(SERVICES, place, made.metadata.uid);
  }

  function isMade(revision: string): boolean {
    const made = Array.from(cluster.revisionsOf(modelOf(revision)));
    return pods.hasPods(revision) || made.some((each) => revisionKeyOf(each) === revision);
  }

  /** Another pod takes its place. */
  async function replace(id: string): Promise<void> {
    const pod = pods.podOf(id);
    if (!pod) return;
    const { namespace, name, uid } = pod.metadata;
    await kube.remove(PODS, { namespace, name }, uid);
  }

  return {
    capabilities: { exactCount: false, parks: false },
    inspect: (workload) => local.inspect(workload),
    async prepare(workload) {
      if (workload.spec.runtime === 'url') await local.prepare(workload);
      else await rehearse(workload, { ...options, cluster, limits: installed.limits });
    },
    async want(workload, wanted) {
      if (closed) return;
      if (wanted.max > 0) desired.set(workload.key, wanted.desired);
      else desired.delete(workload.key);
      // Of what was deleted while Rouse was away nothing is known but its key: whatever it was, it is a `url` then.
      const isElsewhere = workload.spec.runtime === 'url' && !isMade(workload.key);
      if (isElsewhere) return await local.want(workload, wanted);
      if (workload.spec.runtime === 'url' && isOfAnother(modelOf(workload.key))) return;
      loopOf(modelOf(workload.key)).want(workload, wanted);
      for (const id of wanted.replace ?? []) await replace(id);
    },
    release: (id) => local.release(id),
    resume: (id) => local.resume(id),
    instances: (revision) => [
      ...pods.list(revision),
      ...waits.list(revision),
      ...local.instances(revision),
    ],
    onEvent: (listener) => void listeners.push(listener),
    logs: (revision, limit) => readLogs(kube, pods.podsOf(revision), limit),
    metrics: { wanted: () => desired, pods: () => cluster.pods.all() },
    routes: {
      models: () =>
        Array.from(cluster.services.all())
          .flatMap((each) => modelKeyOfService(each) ?? [])
          .filter((model) => !isOfAnother(model)),
      revisions: () =>
        Array.from(cluster.revisions.all())
          .flatMap((each) => revisionKeyOf(each) ?? [])
          .filter((key) => !isOfAnother(modelOf(key))),
      route: (model, targets) => loopOf(model).route(targets),
      forget,
    },
    async close() {
      closed = true;
      timers.close();
      await Promise.all(Array.from(models.values(), (loop) => loop.close()));
      await cluster.close();
      failures.close();
    },
  };
}
