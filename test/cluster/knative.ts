import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '#lib/fault.ts';
import { formatYaml } from '#lib/yaml.ts';
import { applyManifests, type Kubectl, untilCondition, untilDefined } from './kubectl.ts';
import { lastLines } from './log-tail.ts';
import { nameImages, splitPhases } from './manifests.ts';

/** Installs Knative Serving from the manifests that its modules carry. */

export const KNATIVE_NAMESPACE = 'knative-serving';
const KNATIVE_DEPLOYMENTS = ['activator', 'autoscaler', 'controller', 'webhook'];

/** The modules that carry manifests, and where in them they lie: a folder with all below it, or a file. */
export const MANIFESTS: Readonly<Record<string, readonly string[]>> = {
  'knative.dev/serving': ['config/core'],
  'knative.dev/networking': [
    'config/certificate.yaml',
    'config/config-network.yaml',
    'config/domain-claim.yaml',
    'config/ingress.yaml',
    'config/serverlessservice.yaml',
  ],
  'knative.dev/caching': ['config/image.yaml'],
};

/** So that tests do not wait minutes for scale to zero. */
const SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'config-autoscaler': { 'scale-to-zero-grace-period': '6s' },
};

const ROLLOUT_SECONDS = 180;
const LOG_LINES = 15;

/** `folders` are those of the modules, by their paths. Its pods start thereafter: see `untilKnative`. */
export async function installKnative(
  kubectl: Kubectl,
  folders: Readonly<Record<string, string>>,
): Promise<void> {
  const texts: string[] = [];
  for (const [module, paths] of Object.entries(MANIFESTS)) {
    for (const path of paths)
      texts.push(...(await readManifests(join(folders[module] ?? '', path))));
  }
  const { first, rest } = splitPhases(texts.map(nameImages));
  await applyManifests(kubectl, first);
  await untilDefined(kubectl);
  await applyManifests(kubectl, rest);
  await applyManifests(kubectl, makeSettings(), 'rouse-cluster-settings');
}

/** The autoscaler of class HPA, which is a program of its own. */
export async function installHpa(
  kubectl: Kubectl,
  folders: Readonly<Record<string, string>>,
): Promise<void> {
  const texts = await readManifests(
    join(folders['knative.dev/serving'] ?? '', 'config/hpa-autoscaling'),
  );
  await applyManifests(kubectl, texts.map(nameImages).join('---\n'));
  await untilKnative(kubectl, ['autoscaler-hpa']);
}

/** Resolves when all of these deployments are available; otherwise says which is not, and its log's end. */
export async function untilKnative(
  kubectl: Kubectl,
  deployments: readonly string[] = KNATIVE_DEPLOYMENTS,
): Promise<void> {
  await Promise.all(
    deployments.map(async (name) => {
      const what = ['--namespace', KNATIVE_NAMESPACE, `deployment/${name}`];
      try {
        await untilCondition(kubectl, 'Available', what, ROLLOUT_SECONDS);
      } catch (error) {
        const state = await describePods(kubectl, name);
        throw new Fault('start_failed', `${messageOf(error)}\n${state}`, { cause: error });
      }
    }),
  );
}

/** What is known of the pods of a deployment: their state, their events, their last words. */
async function describePods(kubectl: Kubectl, name: string): Promise<string> {
  const pods = ['--namespace', KNATIVE_NAMESPACE, '--selector', `app=${name}`];
  const asked = [
    ['get', 'pods', ...pods],
    ['get', 'events', '--namespace', KNATIVE_NAMESPACE, '--field-selector', 'type=Warning'],
    ['logs', ...pods, `--tail=${LOG_LINES}`],
  ];
  const answers = await Promise.allSettled(asked.map((args) => kubectl(args)));
  return answers
    .map((answer) =>
      lastLines(answer.status === 'fulfilled' ? answer.value : messageOf(answer.reason)),
    )
    .join('\n');
}

async function readManifests(path: string): Promise<string[]> {
  if (path.endsWith('.yaml')) return [await readFile(path, 'utf8')];
  const names = await readdir(path, { recursive: true });
  const manifests = names.filter((name) => name.endsWith('.yaml')).toSorted();
  return await Promise.all(manifests.map((name) => readFile(join(path, name), 'utf8')));
}

function makeSettings(): string {
  const documents = Object.entries(SETTINGS).map(([name, data]) =>
    formatYaml({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: KNATIVE_NAMESPACE },
      data,
    }),
  );
  return documents.join('---\n');
}
