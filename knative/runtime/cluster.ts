import type { Clock } from '#lib/clock.ts';
import type { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from '../api/kube.ts';
import type { Mirror } from '../api/mirror.ts';
import { createMirrors, type ObjectChange } from '../api/mirrors.ts';
import type {
  KnativeRevision,
  KnativeService,
  KubeObject,
  Pod,
  PodAutoscaler,
} from '../api/objects.ts';
import { PODAUTOSCALERS, PODS, REVISIONS, SERVICES } from '../api/resources.ts';
import { OURS, modelKeyOf, modelKeyOfService } from '../manifests/labels.ts';

/** What there is of Rouse in the cluster, kept up to date. */
export interface Cluster {
  readonly services: Mirror<KnativeService>;
  readonly revisions: Mirror<KnativeRevision>;
  readonly autoscalers: Mirror<PodAutoscaler>;
  readonly pods: Mirror<Pod>;
  /** Of a model, by its key. */
  revisionsOf(model: string): Iterable<KnativeRevision>;
  /** What keeps Rouse from seeing some of it now. */
  trouble(): Fault | undefined;
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
  /** `trouble` is another one now. */
  onTrouble(): void;
}

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
  const mirrors = createMirrors({
    kube,
    clock,
    roll,
    log,
    onTrouble: () => listener.onTrouble(),
  });

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

  const services = mirrors.add(SERVICES, OURS, (change) => {
    const model = modelKeyOfService(change.object);
    if (model === undefined) return;
    if (change.type === 'gone') listener.onServiceGone(model);
    listener.onModel(model);
  });
  const revisions = mirrors.add(REVISIONS, OURS, (change) => {
    index(change);
    tellModel(change);
  });
  const autoscalers = mirrors.add(PODAUTOSCALERS, OURS, tellModel);
  const pods = mirrors.add(PODS, OURS, (change, isNew) => {
    if (change.type === 'gone') listener.onPodGone(change.object);
    else listener.onPod(change.object, isNew);
    tellModel(change);
  });

  return {
    services,
    revisions,
    autoscalers,
    pods,
    trouble: () => mirrors.trouble,
    revisionsOf: (model) => byModel.get(model)?.values() ?? [],
    synced: mirrors.listed(),
    close: () => mirrors.close(),
  };
}
