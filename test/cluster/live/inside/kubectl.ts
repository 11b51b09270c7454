import { runProgram } from '#test/cluster/run-program.ts';
import { PATIENCE_MS } from './within.ts';

/** Of commands of kubectl that wait. */
export const PATIENCE = `--timeout=${PATIENCE_MS / 1000}s`;

/** Of programs that run in the box: there `kubectl` is found, and knows the cluster. */
export async function kubectl(...args: string[]): Promise<string> {
  return await feedKubectl('', ...args);
}

/** Waits for a condition of an object. */
export async function untilObject(...args: string[]): Promise<void> {
  await kubectl('wait', PATIENCE, ...args);
}

/** Waits until a Deployment is as it was asked for, and nothing of before takes requests. */
export async function untilRolledOut(...deployment: string[]): Promise<void> {
  await kubectl('rollout', 'status', PATIENCE, ...deployment);
}

export async function applyObject(object: unknown): Promise<void> {
  await feedKubectl(JSON.stringify(object), 'apply', '--filename', '-');
}

/** All that kubectl says, be it done or refused. It may read a document. */
export async function kubectlSays(args: readonly string[], document?: unknown): Promise<string> {
  const input = document === undefined ? '' : JSON.stringify(document);
  const { stdout, stderr } = await runProgram(['kubectl', ...args], { input });
  return `${stdout}${stderr}`.trim();
}

async function feedKubectl(input: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(['kubectl', ...args], { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: status ${code}: ${stderr}`);
  return stdout.trim();
}

/** As its node would be lost: at once, without a grace. Another pod takes its place, and is waited for. */
export async function killAutoscaler(): Promise<void> {
  const system = ['--namespace', 'knative-serving'];
  const pods = ['pods', ...system, '--selector', 'app=autoscaler'];
  await kubectl('delete', ...pods, '--force', '--grace-period=0');
  await untilRolledOut(...system, 'deployment/autoscaler');
}

/** Changes a setting of Knative's autoscaler; null: takes it away. */
export async function setAutoscaler(data: Readonly<Record<string, string | null>>): Promise<void> {
  const map = ['configmap/config-autoscaler', '--namespace', 'knative-serving'];
  await kubectl('patch', ...map, '--type=merge', '--patch', JSON.stringify({ data }));
}
