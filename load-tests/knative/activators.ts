import { systemProcesses } from '#runtime/local/process/proc.ts';
import { kubectl, untilObject } from '#test/cluster/live/inside/kubectl.ts';
import { applyObject } from './objects.ts';

/** Both activators, as pods beside each other: the same Deployment but for the image. */

const SYSTEM = ['--namespace', 'knative-serving'];
const PORT = 8012;

export type ActivatorName = 'stock' | 'rouse';

export interface ActivatorPod {
  readonly name: ActivatorName;
  readonly host: string;
  readonly port: number;
  /** User and system time of all its processes, microseconds. */
  readonly cpuMicros: () => number;
  readonly rssBytes: () => number;
}

/** The fields of a Deployment that are looked at. */
export interface Deployment {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Record<string, string>;
  };
  readonly spec: {
    readonly selector: { readonly matchLabels: Record<string, string> };
    readonly template: {
      readonly metadata: {
        readonly labels: Record<string, string>;
        readonly annotations?: Record<string, string>;
      };
      readonly spec: {
        readonly containers: readonly Record<string, unknown>[];
        readonly [field: string]: unknown;
      };
    };
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

const OWN_NAME = 'activator-rouse';

/** Ours beside Knative's: limits, environment, ports and identity as they are there, and no Service leads to it. */
export function makeOwnActivator(stock: Deployment, image: string): object {
  const labels = { app: OWN_NAME };
  const { template } = stock.spec;
  const containers = template.spec.containers.map((container) => ({ ...container, image }));
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: OWN_NAME, namespace: stock.metadata.namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { ...template.spec, containers },
      },
    },
  };
}

/** Deploys ours and finds both. */
export async function findActivators(image: string): Promise<ActivatorPod[]> {
  const stock: Deployment = JSON.parse(
    await kubectl('get', ...SYSTEM, 'deployment/activator', '--output', 'json'),
  );
  await applyObject(makeOwnActivator(stock, image));
  await kubectl('rollout', 'status', ...SYSTEM, `deployment/${OWN_NAME}`, '--timeout=120s');
  return [await findPod('stock', 'activator'), await findPod('rouse', OWN_NAME)];
}

interface PodOfActivator {
  readonly metadata: { readonly name: string };
  readonly status: { readonly podIP: string };
}

async function findPod(name: ActivatorName, app: string): Promise<ActivatorPod> {
  await untilObject(...SYSTEM, '--for=condition=Ready', 'pods', '--selector', `app=${app}`);
  const { items }: { items: PodOfActivator[] } = JSON.parse(
    await kubectl('get', ...SYSTEM, 'pods', '--selector', `app=${app}`, '--output', 'json'),
  );
  const [pod] = items;
  if (!pod || items.length > 1) throw new Error(`${items.length} pods of ${app}, expected one`);
  const needle = `POD_NAME=${pod.metadata.name}\0`;
  const processes = () => {
    return systemProcesses
      .list()
      .filter(({ pid }) => systemProcesses.environment(pid)?.includes(needle));
  };
  if (processes().length === 0) throw new Error(`no process of ${pod.metadata.name} is seen`);
  const sum = (of: (one: ReturnType<typeof processes>[number]) => number): number =>
    processes().reduce((total, one) => total + of(one), 0);
  return {
    name,
    host: pod.status.podIP,
    port: PORT,
    cpuMicros: () => sum(({ cpuSeconds }) => cpuSeconds * 1e6),
    rssBytes: () => sum(({ memoryBytes }) => memoryBytes),
  };
}
