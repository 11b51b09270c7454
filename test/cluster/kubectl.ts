import { Fault } from '#lib/fault.ts';
import { ADMIN } from './folders.ts';
import { lastLines } from './log-tail.ts';
import { runProgram } from './run-program.ts';

/** Runs kubectl as the administrator of the cluster, and gives its output. Throws a Fault with its last lines. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

/** `command`: what runs it in the box. */
export function createKubectl(command: readonly string[]): Kubectl {
  const env = { PATH: process.env['PATH'], HOME: '/run', KUBECONFIG: ADMIN };
  return async (args, input = '') => {
    const { code, stdout, stderr } = await runProgram([...command, ...args], { env, input });
    if (code === 0) return stdout;
    throw new Fault('start_failed', `kubectl ${args.join(' ')} failed:\n${lastLines(stderr)}`);
  };
}

/** Watches until all that is named has a condition. `what` may name things that are not there yet, one by one. */
export async function untilCondition(
  kubectl: Kubectl,
  condition: string,
  what: readonly string[],
  seconds: number,
): Promise<void> {
  const timeout = `--timeout=${seconds}s`;
  if (!what.includes('--all')) await kubectl(['wait', '--for=create', timeout, ...what]);
  await kubectl(['wait', `--for=condition=${condition}`, timeout, ...what]);
}

/** Creates or changes things to be what the documents of this YAML say. */
export async function applyManifests(
  kubectl: Kubectl,
  manifests: string,
  manager = 'rouse-cluster',
): Promise<void> {
  await kubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], manifests);
}
