import type { Workload } from '#runtime/runtime.ts';
import { Fault } from '#lib/fault.ts';
import type { RevisionTemplate, Texts } from '../api/objects.ts';
import { makeStarting } from './autoscaling.ts';
import { type Servers, makeContainer, makeVolumes } from './container.ts';
import { makeRevisionLabels } from './labels.ts';
import { revisionName } from './names.ts';
import { makeTimeouts } from './timeouts.ts';

/** What the cluster allows. */
export interface ClusterLimits {
  /** For a whole request. */
  readonly timeoutSeconds: number;
  /** Of one instance. */
  readonly concurrency: number;
}

/** Knative's defaults. */
export const DEFAULT_LIMITS: ClusterLimits = { timeoutSeconds: 600, concurrency: 1000 };

/** As Knative's ConfigMap `config-defaults` says it, which need not say all. */
export function readLimits(config: Texts): ClusterLimits {
  const { timeoutSeconds, concurrency } = DEFAULT_LIMITS;
  return {
    timeoutSeconds: Number(config['max-revision-timeout-seconds'] ?? timeoutSeconds),
    concurrency: Number(config['container-concurrency-max-limit'] ?? concurrency),
  };
}

/** Before a program runs, its pod has to find a node, and its image may have to be pulled. */
const PLACING_S = 540;

/** The Knative Revision of a revision. Throws Fault `invalid` for what the cluster cannot do. */
export function makeRevisionTemplate(
  workload: Workload,
  options: { servers: Servers; limits: ClusterLimits },
): RevisionTemplate {
  const { servers, limits } = options;
  const { key, spec } = workload;
  const volumes = makeVolumes(workload);
  return {
    metadata: {
      name: revisionName(workload),
      labels: makeRevisionLabels(key),
      annotations: {
        ...makeStarting(spec.autoscaler ?? 'kpa'),
        // What is kept is decided by use of the model; Knative would count route changes.
        'serving.knative.dev/no-gc': 'true',
        'serving.knative.dev/progress-deadline': deadlineOf(spec.readiness.timeout),
      },
    },
    spec: {
      containerConcurrency: concurrencyOf(workload, limits),
      ...makeTimeouts(spec.timeouts, limits.timeoutSeconds),
      // A model has no business with the API of the cluster, nor with the names of other services.
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      containers: [makeContainer(workload, servers)],
      ...(volumes && { volumes }),
    },
  };
}

function concurrencyOf({ key, spec }: Workload, limits: ClusterLimits): number {
  if (spec.concurrency <= limits.concurrency) return spec.concurrency;
  throw new Fault(
    'invalid',
    `${key}: concurrency ${spec.concurrency}; this cluster allows ${limits.concurrency}, or 0 for no limit`,
  );
}

function deadlineOf(readinessMs: number): string {
  return `${PLACING_S + Math.ceil(readinessMs / 1000)}s`;
}
