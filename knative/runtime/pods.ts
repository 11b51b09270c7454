import type { Instance } from '#runtime/runtime.ts';
import type { Condition, ContainerStatus, Pod, Terminated } from '../api/objects.ts';
import { MODEL_CONTAINER } from '../manifests/container.ts';
import { describeBroken } from './broken.ts';
import { describeEnd, firstLine, lastLinesOf } from './ending.ts';

/**
 * Where Knative's queue-proxy takes requests: it counts them, and lets go of a pod only when they are answered.
 * The number says whether it speaks HTTP/1.1 there (8012) or h2c (8013).
 */
const QUEUE_PORT = 'queue-port';

/** A start that failed, or an instance that ended. */
export interface Failure {
  readonly instance: Instance;
  readonly reason: string;
  readonly lastLines: readonly string[];
}

/**
 * A pod is as many instances, one after the other, as its program has been started: when the program ends, that
 * instance has failed, and Kubernetes starts another one in the same pod.
 */
export interface PodReading {
  /** Absent while nothing runs in it or is about to. */
  readonly instance?: Instance;
  /** How its last run ended, or the pod itself. */
  readonly end?: Failure;
  /** It cannot start, and Kubernetes tries again and again. */
  readonly broken?: Failure;
}

export function readPod(pod: Pod, revision: string): PodReading {
  const { metadata, status } = pod;
  const container = status?.containerStatuses?.find(({ name }) => name === MODEL_CONTAINER);
  const run = container?.restartCount ?? 0;
  const make = (number: number): Instance => makeInstance(pod, revision, number, container);
  const last = readEnd(pod, container);
  const isBetween = container?.state?.running === undefined && last !== undefined;
  if (metadata.deletionTimestamp !== undefined) return isBetween ? {} : { instance: make(run) };
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') {
    return { end: readPodEnd(pod, make(run), last) };
  }
  const spec = pod.spec?.containers?.find(({ name }) => name === MODEL_CONTAINER);
  const broken = describeBroken(container, spec?.image ?? '');
  if (broken !== undefined) {
    return { broken: { instance: make(run), reason: broken, lastLines: [] } };
  }
  return {
    ...(!isBetween && { instance: make(run) }),
    ...(last && { end: { ...last, instance: make(isBetween ? run : run - 1) } }),
  };
}

type End = Omit<Failure, 'instance'>;

/** How the last run ended, if one has. */
function readEnd(pod: Pod, container: ContainerStatus | undefined): End | undefined {
  const end = container?.state?.terminated ?? container?.lastState?.terminated;
  return end && toEnd(pod, end);
}

function toEnd(pod: Pod, end: Terminated): End {
  const container = pod.spec?.containers?.find(({ name }) => name === MODEL_CONTAINER);
  const limit = container?.resources?.limits?.['memory'];
  return { reason: describeEnd(end, limit), lastLines: lastLinesOf(end) };
}

/** The whole pod has ended: its node put it out, or refused it. */
function readPodEnd(pod: Pod, instance: Instance, end: End | undefined): Failure {
  const { reason, message } = pod.status ?? {};
  if (reason === undefined && end) return { ...end, instance };
  const why = message === undefined ? (reason ?? 'its pod ended') : firstLine(message);
  const what = reason === 'Evicted' ? 'put out by its node' : 'its pod has failed';
  return { instance, reason: `${what}: ${why}`, lastLines: end?.lastLines ?? [] };
}

/** What keeps a pod from getting a node: room, most of the time. */
export function waitsFor(pod: Pod): string | undefined {
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  const why = firstLine(scheduled.message ?? scheduled.reason ?? '');
  return scheduled.reason === 'Unschedulable'
    ? `waits for room: ${why}`
    : `waits for a node: ${why}`;
}

function makeInstance(
  pod: Pod,
  revision: string,
  run: number,
  container: ContainerStatus | undefined,
): Instance {
  const { metadata } = pod;
  const askedAt = timeOf(metadata.creationTimestamp);
  const isCurrent = run === (container?.restartCount ?? 0);
  const startedAt = isCurrent ? timeOf(container?.state?.running?.startedAt) : 0;
  const ready = conditionOf(pod, 'Ready');
  const isReady = startedAt > 0 && ready?.status === 'True';
  const isDraining = metadata.deletionTimestamp !== undefined;
  const address = isReady || isDraining ? addressOf(pod) : undefined;
  const waitingFor = isDraining ? undefined : waitsFor(pod);
  const endedAt = timeOf(container?.lastState?.terminated?.finishedAt);
  return {
    id: `${metadata.namespace}/${metadata.name}${run === 0 ? '' : `~${run}`}`,
    revision,
    state: isDraining ? 'draining' : isReady && address ? 'ready' : 'starting',
    origin: 'fresh',
    address,
    askedAt: run === 0 ? askedAt : Math.max(askedAt, endedAt),
    startedAt,
    readyAt: isReady ? Math.max(startedAt, timeOf(ready.lastTransitionTime)) : 0,
    parkedAt: 0,
    memoryBytes: 0,
    cpuSeconds: 0,
    ...(waitingFor !== undefined && { waitingFor }),
  };
}

function addressOf(pod: Pod): Instance['address'] {
  const ports = pod.spec?.containers?.flatMap((each) => each.ports ?? []);
  const port = ports?.find(({ name }) => name === QUEUE_PORT)?.containerPort;
  const host = pod.status?.podIP;
  return host === undefined || port === undefined ? undefined : { node: 'cluster', host, port };
}

function conditionOf(pod: Pod, type: string): Condition | undefined {
  return pod.status?.conditions?.find((each) => each.type === type);
}

function timeOf(text: string | undefined): number {
  return text === undefined ? 0 : Date.parse(text);
}
