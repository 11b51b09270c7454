import type { Clock, Timer } from '#lib/clock.ts';
import type {
  KnativeRevision,
  KnativeService,
  Pod,
  RevisionTemplate,
} from '#knative/api/objects.ts';
import { PODAUTOSCALERS, PODS, REVISIONS, SERVICES } from '#knative/api/resources.ts';
import { kindOf, type ObjectStore, type Stored } from './object-store.ts';

/**
 * What Knative and Kubernetes do with the objects of an API server, as far as the runtime notices: a Revision of each
 * template, a PodAutoscaler, pods as the bounds say, programs that start, end, and are started anew. It knows no
 * requests: the number of pods is the lower bound.
 */
export interface FakeKnative {
  /** What programs of a revision do; `sound` unless it is said. */
  behave(revision: string, behaviour: 'sound' | 'broken' | 'mute'): void;
  /** Ends the program of a pod, as a crash would. */
  crash(pod: string): void;
  /** Nothing is in flight in this pod any more. */
  drained(pod: string): void;
  /** Numbers of pods do not change meanwhile. */
  hold(isHeld: boolean): void;
  /** From now on pods of all revisions are changed by this before they are kept. */
  onPod(change: (pod: Pod) => Pod): void;
  close(): void;
}

const SCALE = 'autoscaling.knative.dev/min-scale';
/** What kubelet waits before it starts a container anew; at once the first time. */
const FIRST_WAIT_MS = 10_000;
/** The grace of a pod is the timeout of requests: 600 s for all here. */
const GRACE_MS = 600_000;
let addresses = 0;

/** Knative is installed, in this version. */
export function declareKnative(store: ObjectStore, version = '1.23.0'): void {
  store.put(
    { root: '/apis/apiextensions.k8s.io/v1', plural: 'customresourcedefinitions' },
    {
      metadata: {
        name: 'services.serving.knative.dev',
        labels: { 'app.kubernetes.io/version': version },
      },
    },
  );
}

/** For `onPod`: a pod whose queue-proxy is a server of the test on this port. */
export function servedAt(pod: Pod, containerPort: number): Pod {
  const ports = [{ name: 'queue-port', containerPort }];
  const containers = [{ name: 'model' }, { name: 'queue-proxy', ports }];
  return {
    ...pod,
    spec: { ...pod.spec, containers },
    ...(pod.status && { status: { ...pod.status, podIP: '127.0.0.1' } }),
  };
}

export function createFakeKnative(options: {
  store: ObjectStore;
  clock: Clock;
  /** Which object's annotations are live. */
  carrier?: 'revisions' | 'podautoscalers';
}): FakeKnative {
  const { store, clock, carrier = 'revisions' } = options;
  const behaviours = new Map<string, string>();
  const timers = new Set<Timer>();
  const terminating = new Set<string>();
  let change = (pod: Pod): Pod => pod;
  let count = 0;
  let isHeld = false;

  function later(ms: number, run: () => void): void {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      run();
    });
    timers.add(timer);
  }

  function reconcileService(service: KnativeService): void {
    const { namespace = '', name } = service.metadata;
    const template = service.spec?.template;
    if (!template || store.get(REVISIONS, namespace, template.metadata.name)) return;
    makeRevision(namespace, name, template);
  }

  function makeRevision(namespace: string, service: string, template: RevisionTemplate): void {
    const { name, labels, annotations } = template.metadata;
    const all = { ...labels, 'serving.knative.dev/service': service };
    const metadata = { namespace, name, labels: all, annotations };
    store.put(REVISIONS, { metadata, spec: template.spec } as KnativeRevision);
    store.put(PODAUTOSCALERS, { metadata });
    scale(namespace, name);
  }

  function livePods(namespace: string, revision: string): Pod[] {
    return (store.all(PODS) as Pod[]).filter(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        metadata.labels?.['serving.knative.dev/revision'] === revision &&
        metadata.deletionTimestamp === undefined,
    );
  }

  /** Without a bound it is the one of the beginning: what is idle is kept for a while. */
  function wantedFor(namespace: string, name: string): number {
    const source = carrier === 'revisions' ? REVISIONS : PODAUTOSCALERS;
    const least = store.get(source, namespace, name)?.metadata.annotations?.[SCALE];
    return least === undefined ? 1 : Number(least);
  }

  function scale(namespace: string, name: string): void {
    if (isHeld || !store.get(REVISIONS, namespace, name)) return;
    const pods = livePods(namespace, name);
    const missing = wantedFor(namespace, name) - pods.length;
    for (let n = 0; n < missing; n++) makePod(namespace, name);
    const surplus = pods.toReversed().toSorted((a, b) => Number(isReady(a)) - Number(isReady(b)));
    for (const pod of surplus.slice(0, Math.max(0, -missing))) terminate(pod);
  }

  function makePod(namespace: string, revision: string): void {
    const made = store.get(REVISIONS, namespace, revision);
    const { labels } = made?.metadata ?? {};
    const metadata = {
      namespace,
      name: `${revision}-deployment-${++count}`,
      labels: { ...labels, 'serving.knative.dev/revision': revision },
    };
    const containers = [
      { name: 'model' },
      { name: 'queue-proxy', ports: [{ name: 'queue-port', containerPort: 8012 }] },
    ];
    put({ metadata, spec: { containers }, status: { phase: 'Pending' } });
    queueMicrotask(() => startProgram(namespace, metadata.name, 0));
  }

  function startProgram(namespace: string, name: string, run: number): void {
    const pod = find(namespace, name);
    if (!pod || pod.metadata.deletionTimestamp !== undefined) return;
    const key = keyOf(pod);
    const behaviour = behaviours.get(key) ?? 'sound';
    const state = { running: { startedAt: now() } };
    set(pod, run, { state }, false);
    if (behaviour === 'broken') endProgram(namespace, name, 3);
    else if (behaviour === 'sound') becomeReady(namespace, name, run, state);
  }

  function becomeReady(namespace: string, name: string, run: number, state: object): void {
    const pod = find(namespace, name);
    if (!pod) return;
    set(pod, run, { state }, true);
    const revision = pod.metadata.labels?.['serving.knative.dev/revision'] ?? '';
    const made = store.get(REVISIONS, namespace, revision);
    const conditions = [{ type: 'Ready', status: 'True' }];
    const { generation: observedGeneration } = made?.metadata ?? {};
    if (made)
      store.put(REVISIONS, { ...made, status: { conditions, observedGeneration } } as Stored);
  }

  function endProgram(namespace: string, name: string, exitCode: number): void {
    const pod = find(namespace, name);
    const container = pod?.status?.containerStatuses?.[0];
    if (!pod || !container) return;
    const run = container.restartCount ?? 0;
    const startedAt = container.state?.running?.startedAt ?? now();
    const terminated = { exitCode, startedAt, finishedAt: now(), reason: 'Error' };
    const waiting = { reason: 'CrashLoopBackOff', message: 'back-off' };
    set(pod, run, { state: { waiting }, lastState: { terminated } }, false);
    later(run === 0 && exitCode > 128 ? 0 : FIRST_WAIT_MS * 2 ** Math.min(run, 5), () => {
      startProgram(namespace, name, run + 1);
    });
  }

  function set(pod: Pod, restartCount: number, state: object, ready: boolean): void {
    const before = pod.status?.containerStatuses?.[0];
    const { lastState } = before ?? {};
    const container = { name: 'model', restartCount, ...(lastState && { lastState }), ...state };
    put({
      ...pod,
      status: {
        phase: 'Running',
        podIP: pod.status?.podIP ?? `10.244.0.${++addresses % 250}`,
        conditions: [
          { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: now() },
        ],
        containerStatuses: [container],
      },
    });
  }

  function terminate(pod: Pod): void {
    const { namespace = '', name } = pod.metadata;
    if (find(namespace, name)?.metadata.deletionTimestamp !== undefined) return;
    put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: now() } });
  }

  /** It goes at the latest when its grace is over, and another one takes its place. */
  function onPodChanged(pod: Stored): void {
    const { namespace = '', name, deletionTimestamp, labels } = pod.metadata;
    if (deletionTimestamp === undefined || terminating.has(name)) return;
    terminating.add(name);
    later(GRACE_MS, () => store.delete(PODS, namespace, name));
    scale(namespace, labels?.['serving.knative.dev/revision'] ?? '');
  }

  function put(pod: Pod): void {
    store.put(PODS, change(pod));
  }

  function find(namespace: string, name: string): Pod | undefined {
    return store.get(PODS, namespace, name) as Pod | undefined;
  }

  const now = (): string => new Date(clock.now()).toISOString();

  const stop = store.onEvent(({ kind, type, object }) => {
    if (type === 'DELETED') {
      if (kind === kindOf(SERVICES)) removeAllOf(object);
      if (kind === kindOf(REVISIONS)) removePartsOf(object);
      return;
    }
    if (kind === kindOf(PODS)) onPodChanged(object);
    if (kind === kindOf(SERVICES)) reconcileService(object as KnativeService);
    if (kind === kindOf(carrier === 'revisions' ? REVISIONS : PODAUTOSCALERS)) {
      scale(object.metadata.namespace ?? '', object.metadata.name);
    }
  });

  /** As the garbage collector does for what had an owner. */
  function removeAllOf({ metadata: { namespace = '', name } }: Stored): void {
    for (const revision of store.all(REVISIONS)) {
      const { metadata } = revision;
      if (metadata.namespace !== namespace) continue;
      if (metadata.labels?.['serving.knative.dev/service'] !== name) continue;
      store.delete(REVISIONS, namespace, metadata.name);
    }
  }

  function removePartsOf({ metadata: { namespace = '', name } }: Stored): void {
    store.delete(PODAUTOSCALERS, namespace, name);
    for (const pod of livePods(namespace, name)) terminate(pod);
  }

  return {
    behave: (revision, behaviour) => void behaviours.set(revision, behaviour),
    crash(pod) {
      const [namespace = '', name = ''] = pod.replace(/~\d+$/, '').split('/');
      endProgram(namespace, name, 137);
    },
    drained(pod) {
      const [namespace = '', name = ''] = pod.replace(/~\d+$/, '').split('/');
      if (find(namespace, name)?.metadata.deletionTimestamp !== undefined) {
        store.delete(PODS, namespace, name);
      }
    },
    hold(next) {
      isHeld = next;
      for (const { metadata } of store.all(REVISIONS)) {
        scale(metadata.namespace ?? '', metadata.name);
      }
    },
    onPod(next) {
      change = next;
    },
    close() {
      stop();
      for (const timer of timers) timer.cancel();
    },
  };
}

function isReady(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ??
    false
  );
}

function keyOf({ metadata }: Pod): string {
  const { 'rouse.dev/model': model, 'rouse.dev/revision': revision } = metadata.labels ?? {};
  return `${metadata.namespace}/${model}/${revision}`;
}
