import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from './kube.ts';
import { OURS, modelKeyOf } from './labels.ts';
import { type Mirror, type MirrorChange, runMirror } from './mirror.ts';
import type { KnativeRevision, KnativeService, KubeObject, Pod, PodAutoscaler } from './objects.ts';
import { PODAUTOSCALERS, PODS, REVISIONS, type Resource, SERVICES } from './resources.ts';

/** What there is of Rouse in the cluster, kept up to date. */
export interface Cluster {
  readonly services: Mirror<KnativeService>;
  readonly revisions: Mirror<KnativeRevision>;
  readonly autoscalers: Mirror<PodAutoscaler>;
  /** Of a model, by its key. */
  revisionsOf(model: string): Iterable<KnativeRevision>;
  /** All of it has been listed. Rejects with what keeps it from that. */
  readonly synced: Promise<void>;
  close(): Promise<void>;
}

export interface ClusterListener {
  /** Of a model: something of it is different now. */
  onModel(model: string): void;
  onServiceGone(model: string): void;
  /** `isNew`: since the first list. */
  onPod(pod: Pod, isNew: boolean): void;
  onPodGone(pod: Pod): void;
}

/** As long as an API server takes that is being restarted, and then some. */
const SYNC_MS = 60_000;

/** Says nothing to the listener before it has returned. */
export function createCluster(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  listener: ClusterListener;
  clock: Clock;
  roll: () => number;
  log: Log;
}): Cluster {
  const { kube, listener, clock, roll, log } = options;
  const byModel = new Map<string, Map<string, KnativeRevision>>();
  const closing = new AbortController();
  const running: Promise<void>[] = [];
  const listed: Promise<void>[] = [];
  let lastTrouble: Fault | undefined;

  function mirror<T extends KubeObject>(
    resource: Resource<T>,
    take: (change: ObjectChange<T>, isNew: boolean) => void,
  ): Mirror<T> {
    const first = Promise.withResolvers<void>();
    const kind = resource.plural;
    const made = runMirror<T>(
      {
        kube,
        resource,
        selector: OURS,
        clock,
        roll,
        onChange(change) {
          if (change.type === 'synced') first.resolve();
          else take(change, made.isSynced);
        },
        onTrouble(fault) {
          lastTrouble = fault;
          if (fault) log.warn({ kind, err: fault.message }, 'the watch of the cluster is broken');
          else log.info({ kind }, 'the watch of the cluster works again');
        },
      },
      closing.signal,
    );
    running.push(made.done);
    listed.push(first.promise);
    return made;
  }

  function tellModel({ object }: ObjectChange<KubeObject>): void {
    const model = modelKeyOf(object);
    if (model !== undefined) listener.onModel(model);
  }

  function index({ type, object }: ObjectChange<KnativeRevision>): void {
    const model = modelKeyOf(object) ?? '';
    const siblings = byModel.get(model) ?? new Map<string, KnativeRevision>();
    if (type === 'gone') siblings.delete(object.metadata.name);
    else siblings.set(object.metadata.name, object);
    if (siblings.size > 0) byModel.set(model, siblings);
    else byModel.delete(model);
  }

  const services = mirror(SERVICES, (change) => {
    const model = modelKeyOf(change.object);
    if (change.type === 'gone' && model !== undefined) listener.onServiceGone(model);
    tellModel(change);
  });
  const revisions = mirror(REVISIONS, (change) => {
    index(change);
    tellModel(change);
  });
  const autoscalers = mirror(PODAUTOSCALERS, tellModel);
  mirror(PODS, (change, isNew) => {
    if (change.type === 'gone') listener.onPodGone(change.object);
    else listener.onPod(change.object, isNew);
    tellModel(change);
  });

  return {
    services,
    revisions,
    autoscalers,
    revisionsOf: (model) => byModel.get(model)?.values() ?? [],
    synced: withinTime(clock, Promise.all(listed), () => lastTrouble),
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

type ObjectChange<T> = Exclude<MirrorChange<T>, { type: 'synced' }>;

async function withinTime(
  clock: Clock,
  listed: Promise<unknown>,
  why: () => Fault | undefined,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const unknown = `the cluster has not told what there is within ${SYNC_MS / 1000}s`;
  const timer = clock.after(SYNC_MS, () => late.reject(why() ?? new Fault('unavailable', unknown)));
  try {
    await Promise.race([listed, late.promise]);
  } finally {
    timer.cancel();
  }
}
