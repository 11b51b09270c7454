import type { Kube } from '#knative/api/kube.ts';
import type { KubeObject } from '#knative/api/objects.ts';
import type { WatchEvent } from '#knative/api/watch-events.ts';
import { messageOf } from '#lib/fault.ts';
import { processesFor } from '#test/e2e/platform.ts';
import { signalComponent, startComponent } from './inside/components.ts';
import { denyModel } from './inside/denial.ts';
import { applyObject, killAutoscaler, kubectl, untilObject } from './inside/kubectl.ts';
import { type Answer, beginPlatform, type InsidePlatform } from './inside/platform.ts';
import { playNamed } from './inside/play.ts';
import { beginRuntime, type InsideRuntime } from './inside/runtime.ts';
import { makeStranger, type Rule, type Stranger } from './inside/stranger.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: one fault, or some, by name; prints as JSON what callers and users saw. */

type Scenario = (platform: InsidePlatform) => Promise<unknown>;

const AWAY_MS = 60_000;
/** So that what is idle sleeps in seconds. */
const BRIEF = { idle: '1s' };

const words = ({ status, code, detail }: Answer): string => `${status} ${code} ${detail}`;
const statusOf = ({ status }: Answer): number => status;

/** Models of both kinds: one that is kept, one that sleeps. */
async function makeBoth(platform: InsidePlatform): Promise<void> {
  await platform.apply('warm');
  await platform.apply('cold', BRIEF);
  await platform.ask('warm');
  await platform.untilAsleep('cold');
}

/** What callers are told once the cause is known, who wait for a moment only. */
async function untilTold(platform: InsidePlatform, model: string, cause: string): Promise<string> {
  let told = '';
  await untilCluster(`callers of ${model} are told: ${cause}`, async () => {
    told = words(await platform.ask(model, { hold: '3s' }));
    return told.includes(cause);
  });
  return told;
}

/** Every answer that a warm model gives until something is over. */
async function askMeanwhile(platform: InsidePlatform, over: Promise<unknown>): Promise<number[]> {
  const seen = new Set<number>();
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  while (!isOver) seen.add(statusOf(await platform.ask('warm')));
  return [...seen];
}

/** Another Rouse beside it only looks: where its watches were, the cluster does not know any more (410). */
async function apiServerAway(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  let isGone = false;
  const looking = await beginRuntime((kube) => countGone(kube, () => (isGone = true)));
  await signalComponent('kube-apiserver', 'SIGKILL');
  const held = platform.ask('cold');
  const told = untilTold(platform, 'cold', 'does not answer: connect');
  const over = new Promise((resolve) => {
    setTimeout(resolve, AWAY_MS);
  });
  const warm = await askMeanwhile(platform, over);
  await startComponent('kube-apiserver');
  const answer = await held;
  const made = await platform.apply('late');
  return {
    warm,
    told: await told,
    held: answer.status,
    made: made.status,
    asked: statusOf(await platform.ask('late')),
    events: await waitingOf(platform, 'cold'),
    missed: isGone && (await seesSame(looking, platform)),
  };
}

function countGone(kube: Kube, onGone: () => void): Kube {
  return {
    ...kube,
    async watch(resource, from) {
      const events = await kube.watch(resource, from);
      if (events === 'gone') onGone();
      return events === 'gone' ? events : tellGone(events, onGone);
    },
  };
}

async function* tellGone<T extends KubeObject>(
  events: AsyncIterable<WatchEvent<T>>,
  onGone: () => void,
): AsyncIterable<WatchEvent<T>> {
  for await (const event of events) {
    if (event.type === 'ERROR' && event.object.code === 410) onGone();
    yield event;
  }
}

async function seesSame(looking: InsideRuntime, platform: InsidePlatform): Promise<boolean> {
  const { status } = await platform.model('late');
  const ids = looking.runtime.instances('default/late/v1').map(({ id }) => id);
  await looking.close();
  return ids.join() === status.instances.map(({ id }) => id).join();
}

async function autoscalerKilled(platform: InsidePlatform): Promise<unknown> {
  const killed = killAutoscaler();
  const held = platform.ask('cold');
  const warm = await askMeanwhile(platform, Promise.all([killed, held]));
  await platform.untilAsleep('cold');
  return { warm, held: statusOf(await held), again: statusOf(await platform.ask('cold')) };
}

/** Data planes go on by themselves, and the next control finds what there is. */
async function controlKilled(platform: InsidePlatform): Promise<unknown> {
  const [control = 0] = await processesFor('control', platform.folder);
  process.kill(control, 'SIGKILL');
  const held = platform.ask('cold');
  const warm = await askMeanwhile(platform, held);
  const [next = 0] = await processesFor('control', platform.folder);
  await platform.untilAsleep('cold');
  return { warm, held: statusOf(await held), isAnother: next !== control };
}

async function etcdSlow(platform: InsidePlatform): Promise<unknown> {
  await signalComponent('etcd', 'SIGSTOP');
  try {
    const held = platform.ask('cold');
    const told = platform.ask('cold', { hold: '5s' });
    const warm = await askMeanwhile(platform, told);
    await signalComponent('etcd', 'SIGCONT');
    return { warm, told: statusOf(await told), held: statusOf(await held) };
  } finally {
    await signalComponent('etcd', 'SIGCONT');
  }
}

/** Another pod has the memory that a start needs. */
async function nodeFull(platform: InsidePlatform): Promise<unknown> {
  const bytes = await kubectl(
    'get',
    'node',
    '--output',
    'jsonpath={.items[0].status.allocatable.memory}',
  );
  const memory = `${Math.floor((Number.parseInt(bytes, 10) * 2) / 3)}Ki`;
  await applyObject({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'hog' },
    spec: {
      containers: [
        { name: 'hog', image: 'dev.local/helloworld:v1', resources: { requests: { memory } } },
      ],
    },
  });
  await untilObject('--for=condition=Ready', 'pod/hog');
  await platform.apply('large', { revision: { resources: { memory } }, scaling: { initial: 0 } });
  const held = platform.ask('large');
  const told = await untilTold(platform, 'large', 'waits for room');
  await kubectl('delete', 'pod', 'hog', '--grace-period=0', '--force');
  return {
    told,
    held: statusOf(await held),
    events: await waitingOf(platform, 'large'),
  };
}

async function webhookDenies(platform: InsidePlatform): Promise<unknown> {
  const denial = await denyModel('cold', 'change', 'nothing wakes on a Friday');
  const held = platform.ask('cold');
  const told = await untilTold(platform, 'cold', 'Friday');
  await denial.close();
  const answer = await held;
  const another = await denyModel('late', 'make', 'nothing is made on a Friday');
  const refused = await platform.apply('late');
  await another.close();
  const made = await platform.apply('late', { revision: { name: 'v2' } });
  return { told, held: answer.status, refused: refused.said, made: made.status };
}

/** Knative is taken away from under Rouse, and put back. */
async function definitionMissing(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  const name = 'services.serving.knative.dev';
  const known = JSON.parse(await kubectl('get', 'crd', name, '--output', 'json')) as Definition;
  await kubectl('delete', 'crd', name);
  const held = platform.ask('cold');
  const told = await untilTold(platform, 'cold', 'the cluster has no');
  const { name: _, ...labels } = known.metadata;
  await applyObject({ ...known, metadata: { name, labels: labels.labels }, status: undefined });
  return {
    told,
    held: statusOf(await held),
    warm: statusOf(await platform.ask('warm')),
  };
}

interface Definition {
  readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
}

const SERVING = 'serving.knative.dev';
const SEE = ['get', 'list', 'watch'];
const SEEING: readonly Rule[] = [
  { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['get'] },
  { apiGroups: [SERVING], resources: ['services', 'revisions'], verbs: SEE },
  { apiGroups: ['autoscaling.internal.knative.dev'], resources: ['podautoscalers'], verbs: SEE },
  { apiGroups: [''], resources: ['pods'], verbs: SEE },
];
const may = (resource: string, ...verbs: string[]): Rule => ({
  apiGroups: [SERVING],
  resources: [resource],
  verbs,
});

/** Rights come one by one; each that is missing is named, and what they allow then goes on. */
async function rightsMissing(): Promise<unknown> {
  const stranger = await makeStranger();
  const env = { KUBECONFIG: stranger.kubeconfig };
  try {
    const start = await beginPlatform({ env }).then(
      () => 'it started',
      (error: unknown) => messageOf(error),
    );
    await stranger.allow(SEEING);
    return { start, ...(await useRights(await beginPlatform({ env }), stranger)) };
  } finally {
    await stranger.close();
  }
}

async function useRights(platform: InsidePlatform, stranger: Stranger): Promise<object> {
  const making = may('services', 'patch', 'create', 'delete');
  const steering = may('revisions', 'patch', 'delete');
  try {
    const refused = await platform.apply('cold', BRIEF);
    await stranger.allow([...SEEING, making, steering]);
    const made = await platform.apply('cold', { ...BRIEF, revision: { name: 'v2' } });
    if (made.status !== 0) throw new Error(made.said);
    await platform.untilAsleep('cold');
    await stranger.allow([...SEEING, making]);
    const held = platform.ask('cold');
    const told = await untilTold(platform, 'cold', 'cannot patch');
    await stranger.allow([...SEEING, making, steering]);
    return { refused: refused.said, told, held: statusOf(await held) };
  } finally {
    await leaveNothing(platform);
  }
}

async function waitingOf(platform: InsidePlatform, name: string): Promise<string[]> {
  return (await platform.events(name)).filter((event) => event.startsWith('InstanceWaiting'));
}

/** They leave what they find: both models, one of them asleep. */
const SHORT: Readonly<Record<string, Scenario>> = {
  autoscalerKilled,
  controlKilled,
  etcdSlow,
  webhookDenies,
  nodeFull,
};

/** One after the other; what goes wrong stands in the place of what was seen. */
async function short(platform: InsidePlatform): Promise<unknown> {
  await makeBoth(platform);
  const seen: Record<string, unknown> = {};
  for (const [name, play] of Object.entries(SHORT)) {
    await platform.untilAsleep('cold');
    seen[name] = await play(platform).catch(
      (error: unknown) => `${messageOf(error)}\n${platform.output()}`,
    );
  }
  return seen;
}

const SCENARIOS: Readonly<Record<string, () => Promise<unknown>>> = {
  short: () => onPlatform(short, '--workers', '2'),
  apiServerAway: () => onPlatform(apiServerAway),
  definitionMissing: () => onPlatform(definitionMissing),
  rightsMissing,
};

async function onPlatform(play: Scenario, ...args: string[]): Promise<unknown> {
  const platform = await beginPlatform({ args });
  try {
    return await play(platform);
  } catch (error) {
    process.stderr.write(platform.output());
    throw error;
  } finally {
    await leaveNothing(platform);
  }
}

async function leaveNothing(platform: InsidePlatform): Promise<void> {
  const ours = ['ksvc', '--selector', 'app.kubernetes.io/managed-by=rouse'];
  try {
    await Promise.all(['warm', 'cold', 'late', 'large'].map((model) => platform.remove(model)));
    await untilCluster(
      'all is gone',
      async () => (await kubectl('get', ...ours, '--output', 'name')) === '',
    );
  } finally {
    await platform.close();
  }
}

await playNamed(SCENARIOS);
