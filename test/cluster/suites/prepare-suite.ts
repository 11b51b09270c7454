import { KNATIVE_NAMESPACE } from '../knative.ts';
import { type Kubectl, untilCondition } from '../kubectl.ts';
import type { Suite } from './suites.ts';

type Values = Readonly<Record<string, string | null>>;

const SCALE_SECONDS = 120;

/** Sets what a suite needs. Gives what sets it back. */
export async function prepareSuite(
  kubectl: Kubectl,
  { settings = {}, activators = 1 }: Suite,
): Promise<() => Promise<void>> {
  const before: Record<string, Values> = {};
  for (const [name, values] of Object.entries(settings)) {
    before[name] = await readSettings(kubectl, name, Object.keys(values));
    await changeSettings(kubectl, name, values);
  }
  if (activators > 1) await scaleActivator(kubectl, activators);
  return async () => {
    for (const [name, values] of Object.entries(before)) {
      await changeSettings(kubectl, name, values);
    }
    if (activators > 1) await scaleActivator(kubectl, 1);
  };
}

async function readSettings(
  kubectl: Kubectl,
  name: string,
  keys: readonly string[],
): Promise<Values> {
  const text = await kubectl(['get', 'configmap', name, ...inKnative, '--output', 'json']);
  const { data = {} }: { data?: Record<string, string> } = JSON.parse(text);
  return Object.fromEntries(keys.map((key) => [key, data[key] ?? null]));
}

async function changeSettings(kubectl: Kubectl, name: string, data: Values): Promise<void> {
  const patch = ['--type', 'merge', '--patch', JSON.stringify({ data })];
  await kubectl(['patch', 'configmap', name, ...inKnative, ...patch]);
}

/** Resolves when as many are ready, and no other is left. */
async function scaleActivator(kubectl: Kubectl, replicas: number): Promise<void> {
  const deployment = ['deployment/activator', ...inKnative];
  await kubectl(['scale', `--replicas=${replicas}`, ...deployment]);
  await kubectl(['rollout', 'status', ...deployment, `--timeout=${SCALE_SECONDS}s`]);
  await untilCondition(kubectl, 'Available', deployment, SCALE_SECONDS);
}

const inKnative = ['--namespace', KNATIVE_NAMESPACE];
