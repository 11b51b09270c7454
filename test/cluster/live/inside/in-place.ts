import { kubectl } from './kubectl.ts';

/** Rouse in the place of Knative's activator, and back. */

const SYSTEM = ['--namespace', 'knative-serving'];
const DEPLOYMENT = ['deployment', 'activator', ...SYSTEM];

interface Way {
  readonly image: string;
  readonly command: readonly string[] | null;
  readonly args: readonly string[] | null;
}

const ROUSE: Way = {
  image: 'dev.local/rouse:v1',
  command: ['/usr/bin/node'],
  args: ['--no-warnings', '/app/src/activator.ts'],
};
const KNATIVE: Way = { image: 'dev.local/activator:v1', command: null, args: null };

/** Resolves when as many take requests, and nothing else does. */
export async function useActivator(which: 'rouse' | 'knative', replicas = 1): Promise<void> {
  const container = { name: 'activator', ...(which === 'rouse' ? ROUSE : KNATIVE) };
  const patch = { spec: { replicas, template: { spec: { containers: [container] } } } };
  await kubectl('patch', ...DEPLOYMENT, '--patch', JSON.stringify(patch));
  await kubectl('rollout', 'status', ...DEPLOYMENT, '--timeout=240s');
}

export async function activatorPods(): Promise<string[]> {
  const pods = ['pods', ...SYSTEM, '--selector', 'app=activator'];
  const running = ['--field-selector', 'status.phase=Running', '--output', 'name'];
  return (await kubectl('get', ...pods, ...running)).split('\n').filter((name) => name !== '');
}

/** As Kubernetes ends it, by SIGTERM; resolves when it has gone. */
export async function endPod(name: string): Promise<void> {
  await kubectl('delete', ...SYSTEM, name);
}
