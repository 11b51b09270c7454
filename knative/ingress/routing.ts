import { revisionKey } from '#domain/names.ts';
import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import type { BackendAddress } from './endpoints.ts';
import type { BackendName } from './rules.ts';

/** A Service without endpoints, as when its last pod is being replaced, has one again within so long, or its callers are refused. */
export const HOLD_MS = 5000;
/** An ingress has no timeout of its own; this is the limit that everything has. */
const RUN_MS = 24 * 60 * 60_000;
/** Pods are given less time to end. */
const DRAIN_MS = 60 * 60_000;
/** Callers of one backend that has no endpoint, and what they sent. */
const QUEUE = { requests: 10_000, bytes: 64 * 1024 * 1024 };
/** Everything behind a port of a Service. */
const REVISION = 'endpoints';

/** What stands for a backend in the routing state, by its parts as `modelKey` takes them. */
export function modelNameOf({ service, port }: BackendName): string {
  return `${service}:${port}`;
}

export function makeBackendModel(backend: BackendName): RoutingModel {
  return {
    namespace: backend.namespace,
    name: modelNameOf(backend),
    generation: 1,
    targets: [{ revision: REVISION, percent: 100 }],
    queue: QUEUE,
    revisions: [
      {
        name: REVISION,
        runtime: 'image',
        state: 'Ready',
        reason: '',
        concurrency: 0,
        timeouts: { hold: HOLD_MS, run: RUN_MS, idle: 0, drain: DRAIN_MS },
        retry: 'never',
        coldStartSeconds: 0,
        platform: '',
        inputs: [],
        outputs: [],
      },
    ],
  };
}

/** `id`: unique for ever. `at`: ms; since when it is known. */
export function makeBackendInstance(
  id: string,
  backend: BackendName,
  address: BackendAddress,
  at: number,
): RoutingInstance {
  const { host, port, h2c } = address;
  return {
    id,
    revision: revisionKey(backend.namespace, modelNameOf(backend), REVISION),
    address: { node: host, host, port, ...(h2c && { h2c }) },
    state: 'ready',
    askedAt: at,
    startedAt: at,
    readyAt: at,
  };
}
