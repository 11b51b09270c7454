import { runProgram } from '#test/cluster/run-program.ts';

/** Of programs that run in the box: there `kubectl` is found, and knows the cluster. */
export async function kubectl(...args: string[]): Promise<string> {
  return await feedKubectl('', ...args);
}

/** Waits for a condition of an object. */
export async function untilObject(...args: string[]): Promise<void> {
  await kubectl('wait', '--timeout=120s', ...args);
}

export async function applyObject(object: unknown): Promise<void> {
  await feedKubectl(JSON.stringify(object), 'apply', '--filename', '-');
}

async function feedKubectl(input: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(['kubectl', ...args], { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: status ${code}: ${stderr}`);
  return stdout.trim();
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
