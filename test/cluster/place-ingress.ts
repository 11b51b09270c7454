import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { imageName } from './image-name.ts';
import type { Kubectl } from './kubectl.ts';

const COMPONENT = resolve(import.meta.dirname, '../../knative/install/ingress');
const NAMESPACE = 'rouse-system';
const SECONDS = 120;

/** Installs Rouse's ingress from its install files, alone, as one pod of our image; waits until it is ready. */
export async function placeIngress(kubectl: Kubectl): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-ingress-'));
  try {
    await writeFile(join(folder, 'namespace.yaml'), JSON.stringify(makeNamespace()));
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(makeKustomization(folder)));
    await kubectl(['apply', '--server-side', '-k', folder]);
  } finally {
    await rm(folder, { recursive: true });
  }
  const deployment = ['deployment/rouse-ingress', '--namespace', NAMESPACE];
  // The image may have been another one before.
  await kubectl(['rollout', 'restart', ...deployment]);
  await kubectl(['rollout', 'status', ...deployment, `--timeout=${SECONDS}s`]);
}

function makeNamespace(): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
}

function makeKustomization(folder: string): object {
  const [newName, newTag] = imageName('rouse').split(':');
  return {
    resources: ['namespace.yaml'],
    components: [relative(folder, COMPONENT)],
    images: [{ name: 'rouse', newName, newTag }],
    replicas: [{ name: 'rouse-ingress', count: 1 }],
  };
}
