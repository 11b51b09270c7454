import { imageName } from './image-name.ts';
import { KNATIVE_NAMESPACE } from './knative.ts';
import type { Kubectl } from './kubectl.ts';

/** Who answers for revisions without pods: Knative's own program or ours, in the same Deployment. */
export type Activator = 'stock' | 'rouse';

const IN_KNATIVE = ['--namespace', KNATIVE_NAMESPACE];
const DEPLOYMENT = ['deployment/activator', ...IN_KNATIVE];
/** The one before goes on for as long as others may still send to it. */
const SECONDS = 180;

export async function findActivator(kubectl: Kubectl): Promise<Activator> {
  const path = ['--output', 'jsonpath={.spec.template.spec.containers[0].image}'];
  const image = await kubectl(['get', ...DEPLOYMENT, ...path]);
  return image === imageName('activator') ? 'stock' : 'rouse';
}

/** Resolves when the new one takes all requests and the old one is gone. */
export async function placeActivator(kubectl: Kubectl, activator: Activator): Promise<void> {
  const container =
    activator === 'stock'
      ? { image: imageName('activator'), command: null }
      : { image: imageName('rouse'), command: ['rouse-activator'] };
  const containers = [{ name: 'activator', ...container }];
  // The image may be another one under the same name.
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
  const patch = { spec: { template: { metadata: { annotations }, spec: { containers } } } };
  await kubectl(['patch', ...DEPLOYMENT, '--patch', JSON.stringify(patch)]);
  await untilSettled(kubectl);
}

/** Resolves when as many are ready, and no other is left. */
export async function scaleActivator(kubectl: Kubectl, replicas: number): Promise<void> {
  await kubectl(['scale', `--replicas=${replicas}`, ...DEPLOYMENT]);
  await untilSettled(kubectl);
}

async function untilSettled(kubectl: Kubectl): Promise<void> {
  const timeout = `--timeout=${SECONDS}s`;
  await kubectl(['rollout', 'status', ...DEPLOYMENT, timeout]);
  const ending = await listEnding(kubectl);
  if (ending.length === 0) return;
  await kubectl(['wait', '--for=delete', timeout, ...IN_KNATIVE, ...ending]);
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
