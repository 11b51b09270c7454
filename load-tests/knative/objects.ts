import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '#test/cluster/live/inside/kubectl.ts';

/** Knative Services of the benchmark, in a namespace of its own. */

export const NAMESPACE = 'bench';
const GROUP = 'autoscaling.knative.dev';

export async function applyObject(object: object): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-bench-knative-'));
  try {
    const file = join(folder, 'object.json');
    await writeFile(file, JSON.stringify(object));
    await kubectl('apply', '--filename', file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** `annotations`: of Knative's autoscaler, without their group. */
export async function applyService(
  name: string,
  annotations: Readonly<Record<string, string>>,
  container: object,
): Promise<void> {
  await applyObject({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      template: {
        metadata: {
          name: revisionOf(name),
          annotations: Object.fromEntries(
            Object.entries(annotations).map(([key, value]) => [`${GROUP}/${key}`, value]),
          ),
        },
        spec: { containers: [container] },
      },
    },
  });
}

export function revisionOf(service: string): string {
  return `${service}-v1`;
}

/** What tells an activator where a request goes. */
export function headersOf(service: string): Record<string, string> {
  return {
    'Knative-Serving-Namespace': NAMESPACE,
    'Knative-Serving-Revision': revisionOf(service),
  };
}
