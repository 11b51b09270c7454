import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Of programs that run in the box: there `kubectl` is found, and knows the cluster. */
export async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('kubectl', args);
  return stdout.trim();
}

/** Waits for a condition of an object. */
export async function untilObject(...args: string[]): Promise<void> {
  await kubectl('wait', '--timeout=120s', ...args);
}

/** As its node would be lost: at once, without a grace. Another pod takes its place, and is waited for. */
export async function killAutoscaler(): Promise<void> {
  const system = ['--namespace', 'knative-serving'];
  const pods = ['pods', ...system, '--selector', 'app=autoscaler', '--output', 'name'];
  const before = await kubectl('get', ...pods);
  await kubectl('delete', ...system, before, '--force', '--grace-period=0');
  await kubectl('rollout', 'status', ...system, 'deployment/autoscaler', '--timeout=120s');
}

/** Changes a setting of Knative's autoscaler; null: takes it away. */
export async function setAutoscaler(data: Readonly<Record<string, string | null>>): Promise<void> {
  const map = ['configmap/config-autoscaler', '--namespace', 'knative-serving'];
  await kubectl('patch', ...map, '--type=merge', '--patch', JSON.stringify({ data }));
}
