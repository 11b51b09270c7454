import type { RoutingModel } from '#domain/routing.ts';
import type { PortName } from './addresses.ts';
import type { ServedContainer, ServedRevision } from './objects.ts';

/** What Knative itself takes when a Revision does not say. */
const DEFAULT_TIMEOUT_S = 300;
/**
 * As many as Knative's activator lets wait, though that counts only at a concurrency limit: what is beyond is refused
 * rather than kept until memory ends.
 */
const MAX_WAITING = 10_000;
/** Of bodies of waiting requests, per revision: a part of the memory that Knative gives an activator (600 MiB). */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** A Revision as the data plane knows it: a model of its name with one revision of the same name. */
export function makeRoutingModel({ metadata, spec = {} }: ServedRevision): RoutingModel {
  const { name, namespace = '' } = metadata;
  const total = toMs(spec.timeoutSeconds) ?? DEFAULT_TIMEOUT_S * 1000;
  const idle = toMs(spec.idleTimeoutSeconds) ?? 0;
  // A response that has not begun is idle, too.
  const starts = [toMs(spec.responseStartTimeoutSeconds), idle === 0 ? undefined : idle];
  const responseStart = Math.min(...starts.filter((ms) => ms !== undefined));
  return {
    namespace,
    name,
    generation: metadata.generation ?? 0,
    targets: [{ revision: name, percent: 100 }],
    queue: { requests: MAX_WAITING, bytes: MAX_WAITING_BYTES },
    revisions: [
      {
        name,
        runtime: 'image',
        state: 'Ready',
        reason: '',
        concurrency: spec.containerConcurrency ?? 0,
        timeouts: { hold: Math.min(total, responseStart), run: total, idle, total, drain: 0 },
        ...(Number.isFinite(responseStart) && { responseStart }),
        retry: 'never',
        coldStartSeconds: 0,
        platform: 'knative',
        inputs: [],
        outputs: [],
      },
    ],
  };
}

/** By the name that the port of the container has: `h2c`, or anything else for HTTP/1.1. */
export function portNameOf(revision: ServedRevision): PortName {
  return servingContainer(revision)?.ports?.[0]?.name === 'h2c' ? 'http2' : 'http';
}

/**
 * Whether a pod is ready as soon as its queue-proxy says so. That asks the container by its readiness probe, but for
 * those that only kubelet can run; then Kubernetes has to say it.
 */
export function trustsProbe(revision: ServedRevision): boolean {
  const containers = revision.spec?.containers ?? [];
  if (servingContainer(revision)?.readinessProbe?.exec !== undefined) return false;
  return containers.every(({ startupProbe }) => startupProbe === undefined);
}

/** The others, if there are any, have no port. */
function servingContainer({ spec }: ServedRevision): ServedContainer | undefined {
  const containers = spec?.containers ?? [];
  return containers.length === 1
    ? containers[0]
    : containers.find(({ ports = [] }) => ports.length > 0);
}

/** 0 is no limit, as for Knative. */
function toMs(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds === 0 ? undefined : seconds * 1000;
}
