import { KNATIVE_NAMESPACE } from '../knative.ts';
import type { Kubectl } from '../kubectl.ts';
import { scaleActivator } from '../place-activator.ts';
import type { Suite } from './suites.ts';

type Values = Readonly<Record<string, string | null>>;

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

const inKnative = ['--namespace', KNATIVE_NAMESPACE];
