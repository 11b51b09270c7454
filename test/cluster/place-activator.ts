import { imageName } from './image-name.ts';
import { KNATIVE_NAMESPACE } from './knative.ts';
import type { Kubectl } from './kubectl.ts';

/** Who answers for revisions without pods: Knative's own image or ours, in the same Deployment. */
export type Activator = 'stock' | 'rouse';

const IN_KNATIVE = ['--namespace', KNATIVE_NAMESPACE];
const DEPLOYMENT = ['deployment/activator', ...IN_KNATIVE];
const TIMEOUT = '--timeout=180s';

export async function findActivator(kubectl: Kubectl): Promise<Activator> {
  const path = ['--output', 'jsonpath={.spec.template.spec.containers[0].image}'];
  const image = await kubectl(['get', ...DEPLOYMENT, ...path]);
  return image === imageName('activator') ? 'stock' : 'rouse';
}

/** Resolves when the new one takes all requests. Nobody may ask meanwhile: the old one is killed. */
export async function placeActivator(kubectl: Kubectl, activator: Activator): Promise<void> {
  const image = imageName(activator === 'stock' ? 'activator' : 'rouse-activator');
  const containers = [{ name: 'activator', image }];
  // The image may be another one under the same name.
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
  const patch = { spec: { template: { metadata: { annotations }, spec: { containers } } } };
  await kubectl(['patch', ...DEPLOYMENT, '--patch', JSON.stringify(patch)]);
  await untilSettled(kubectl);
}

/** Resolves when as many are ready, and no other is left. Nobody may ask meanwhile: those that are too many are killed. */
export async function scaleActivator(kubectl: Kubectl, replicas: number): Promise<void> {
  await kubectl(['scale', `--replicas=${replicas}`, ...DEPLOYMENT]);
  const scaled = `--for=jsonpath={.status.replicas}=${replicas}`;
  await kubectl(['wait', scaled, TIMEOUT, ...DEPLOYMENT]);
  await untilSettled(kubectl);
}

/** By itself, one that ends would serve on for most of a minute. */
async function untilSettled(kubectl: Kubectl): Promise<void> {
  await kubectl(['rollout', 'status', ...DEPLOYMENT, TIMEOUT]);
  const ending = await listEnding(kubectl);
  if (ending.length === 0) return;
  await kubectl(['delete', '--force', '--grace-period=0', ...IN_KNATIVE, ...ending]);
}

/** Pods that were told to end. */
async function listEnding(kubectl: Kubectl): Promise<string[]> {
  const found = ['pods', '--selector', 'app=activator', '--output', 'json'];
  const text = await kubectl(['get', ...IN_KNATIVE, ...found]);
  const { items }: { items: { metadata: { name: string; deletionTimestamp?: string } }[] } =
    JSON.parse(text);
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    .map(({ metadata }) => `pod/${metadata.name}`);
}
