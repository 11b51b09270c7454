import { Fault } from '#lib/fault.ts';
import { until } from '#test/until.ts';
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

interface Definition {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null;
  };
}

/** Until objects of every kind that was defined can be made. `kubectl wait` fails on a definition without conditions yet. */
export async function untilDefined(kubectl: Kubectl): Promise<void> {
  await until('all kinds are established', async () => {
    const listed = await kubectl(['get', 'crd', '--output', 'json']);
    const { items } = JSON.parse(listed) as { items: readonly Definition[] };
    return items.every(({ status }) =>
      status?.conditions?.some((each) => each.type === 'Established' && each.status === 'True'),
    );
  });
}

/** Watches until what is named has a condition; it may not be there yet. */
export async function untilCondition(
  kubectl: Kubectl,
  condition: string,
  what: readonly string[],
  seconds: number,
): Promise<void> {
  const timeout = `--timeout=${seconds}s`;
  await kubectl(['wait', '--for=create', timeout, ...what]);
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
