import { modelOf, partsOfModelKey } from '#domain/names.ts';
import type { Inspection } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime, RuntimeEvent, RuntimeRoutes, Workload } from '#runtime/runtime.ts';
import type { Kube } from '../api/kube.ts';
import type { OwnerReference } from '../api/objects.ts';
import { DEFINITIONS, PODS, SERVICES } from '../api/resources.ts';
import { decideScaleCarrier, type ScaleCarrier } from '../manifests/autoscaling.ts';
import type { Servers } from '../manifests/container.ts';
import { isMadeFor, modelKeyOf } from '../manifests/labels.ts';
import { serviceName } from '../manifests/names.ts';
import type { ClusterLimits } from '../manifests/revision.ts';
import { rehearse } from './apply.ts';
import { createCluster } from './cluster.ts';
import { createFailures } from './failures.ts';
import { createPodInstances } from './instances.ts';
import { readLogs } from './logs.ts';
import { type ModelLoop, createModelLoop } from './model-loop.ts';
import { createUrlInstances } from './urls.ts';
import { createWaits } from './waits.ts';

/** Instances are pods of Knative Services. */
export interface KnativeRuntime extends Runtime {
  /** Knative's addresses of models. */
  readonly routes: RuntimeRoutes;
}

export interface KnativeRuntimeOptions {
  readonly kube: Kube;
  readonly servers: Servers;
  readonly limits: ClusterLimits;
  /** What a model belongs to, by the model's key, if it belongs to something. */
  readonly ownerOf: (model: string) => OwnerReference | undefined;
  /** Looks into files: it needs no cluster. */
  readonly inspect: (workload: Workload) => Promise<Inspection>;
  readonly clock: Clock;
  /** A number from 0 to 1. */
  readonly roll: () => number;
  readonly log: Log;
}

/** Its label says which Knative is installed. */
const DEFINITION = { name: 'services.serving.knative.dev' };
const VERSION_LABEL = 'app.kubernetes.io/version';
/** Knative may be upgraded meanwhile. */
const REREAD_MS = 60_000;

/**
 * When it resolves it knows what there is in the cluster. Throws Fault `unavailable` when that cannot be found out.
 *
 * What runs is the cluster's: `close` leaves it as it is, and the next life finds it. A pod that is to go drains by
 * itself, so nothing waits for `release`.
 */
export async function createKnativeRuntime(
  options: KnativeRuntimeOptions,
): Promise<KnativeRuntime> {
  const { kube, clock, log } = options;
  const readCarrier = async (): Promise<ScaleCarrier> => {
    const definition = await kube.get(DEFINITIONS, DEFINITION);
    return decideScaleCarrier(definition?.metadata.labels?.[VERSION_LABEL]);
  };
  let carrier = await readCarrier();
  const listeners: ((event: RuntimeEvent) => void)[] = [];
  const failures = createFailures({ clock, emit });
  const pods = createPodInstances({ failures, emit });
  const urls = createUrlInstances({ clock, emit });
  const waits = createWaits(emit);
  const hasPods = (revision: string): boolean => pods.hasPods(revision);
  const models = new Map<string, ModelLoop>();
  let closed = false;

  function emit(event: RuntimeEvent): void {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error({ event: event.type, err: messageOf(error) }, 'a runtime listener failed');
      }
    }
  }

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
    readCarrier().then(setCarrier, (error: unknown) => {
      log.warn({ err: messageOf(error) }, 'which Knative is installed is not known now');
    });
  });

  function setCarrier(read: ScaleCarrier): void {
    if (carrier === read) return;
    carrier = read;
    for (const loop of models.values()) loop.ask();
  }

  function loopOf(model: string): ModelLoop {
    const known = models.get(model);
    if (known) return known;
    const made = createModelLoop(partsOfModelKey(model), {
      ...options,
      ...cluster,
      carrier: () => carrier,
      failures,
      waits,
      hasPods,
      podsState: (revision) => pods.stateOf(revision),
    });
    models.set(model, made);
    return made;
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

  /** Another pod takes its place. */
  async function replace(id: string): Promise<void> {
    const pod = pods.podOf(id);
    if (!pod) return;
    const { namespace, name, uid } = pod.metadata;
    await kube.remove(PODS, { namespace, name }, uid);
  }

  return {
    capabilities: { exactCount: false, parks: false },
    inspect: (workload) => options.inspect(workload),
    async prepare(workload) {
      if (workload.spec.runtime === 'url') urls.want(workload);
      else await rehearse(workload, { ...options, cluster });
    },
    async want(workload, wanted) {
      if (closed) return;
      // Of what was deleted while Rouse was away nothing is known but its key: whatever it was, it is a `url` then.
      const isElsewhere = workload.spec.runtime === 'url' && !pods.hasPods(workload.key);
      if (isElsewhere) urls.want(workload, wanted);
      else loopOf(modelOf(workload.key)).want(workload, wanted);
      for (const id of wanted.replace ?? []) await replace(id);
    },
    release: (id) => urls.release(id),
    instances: (revision) => [pods, urls, waits].flatMap((each) => each.list(revision)),
    onEvent: (listener) => void listeners.push(listener),
    logs: (revision, limit) => readLogs(kube, pods.podsOf(revision), limit),
    routes: {
      models: () => Array.from(cluster.services.all()).flatMap((each) => modelKeyOf(each) ?? []),
      route: (model, targets) => loopOf(model).route(targets),
      forget,
    },
    async close() {
      closed = true;
      timers.close();
      urls.close();
      await Promise.all(Array.from(models.values(), (loop) => loop.close()));
      await cluster.close();
      failures.close();
    },
  };
}
