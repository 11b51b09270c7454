import { resolve } from 'node:path';
import fc from 'fast-check';
import type { ModelObject } from '#knative/models/object.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';
import { modelFiles } from '#test/knative/models/model-arbitrary.ts';
import { REJECTED } from '#test/knative/models/rejected.ts';
import { untilDefined } from '../kubectl.ts';
import { signalComponent, startComponent } from './inside/components.ts';
import { kubectl, kubectlSays, PATIENCE, untilObject } from './inside/kubectl.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: models as objects of the cluster, by `kubectl` as a user would; prints as JSON what it saw. */

const DEFINITION = resolve(import.meta.dirname, '../../../knative/install/models/definition.yaml');
/** Each takes a start of kubectl. */
const FILES = 50;
const ASKED = 60;

const folder = await makeFolder();
const seen: Record<string, unknown> = {};

async function start(): Promise<Platform> {
  const cluster = ['--runtime', 'knative', '--knative-image', 'dev.local/none:v1'];
  return await startPlatform(folder, {
    args: [...cluster, '--knative-control', 'http://127.0.0.1:1', '--knative-models'],
  });
}

async function apply(document: unknown): Promise<string> {
  return await kubectlSays(['apply', '-f', '-'], document);
}

function makeRevision(name: string): object {
  const timeouts = { hold: '120s', run: '60s' };
  return {
    name,
    runtime: 'image',
    source: 'dev.local/helloworld:v1',
    timeouts,
    env: { NAME: name },
  };
}

function makeModel(name: string, spec: object): unknown {
  return { apiVersion: 'rouse.dev/v1alpha1', kind: 'Model', metadata: { name }, spec };
}

function makeTraffic(first: number): object[] {
  return [
    { revision: 'v1', percent: first },
    { revision: 'v2', percent: 100 - first },
  ];
}

function makeHello(first: number): unknown {
  return makeModel('hello', {
    revisions: [makeRevision('v1'), makeRevision('v2')],
    traffic: makeTraffic(first),
    // So that it is there without the API server, too.
    keepAlive: { policy: 'fixed', idle: '10m' },
  });
}

const split = (first: number): string => JSON.stringify({ spec: { traffic: makeTraffic(first) } });
/** As tools do that keep a cluster as a repository says. */
const AS_GITOPS = [
  'apply',
  '--server-side',
  '--force-conflicts',
  '--field-manager=argocd-controller',
];
const patch = (name: string, body: string): string[] => [
  'patch',
  `models.rouse.dev/${name}`,
  '--type=merge',
  '--patch',
  body,
];

async function untilReady(name: string): Promise<void> {
  await untilObject('--for=condition=Ready', `models.rouse.dev/${name}`);
}

async function statusOf(name: string): Promise<NonNullable<ModelObject['status']>> {
  const object = JSON.parse(
    await kubectl('get', 'models.rouse.dev', name, '-o', 'json'),
  ) as ModelObject;
  return object.status ?? {};
}

async function reasonOf(name: string, type: string): Promise<string> {
  const condition = (await statusOf(name)).conditions?.find((each) => each.type === type);
  return `${condition?.reason}: ${condition?.message}`;
}

async function untilSplit(name: string, text: string): Promise<void> {
  await untilCluster(`the split is ${text}`, async () => (await statusOf(name)).split === text);
}

/** Which revisions answer, of so many requests. */
async function answering(platform: Platform): Promise<string[]> {
  const revisions = new Set<string>();
  for (let i = 0; i < ASKED; i += 1) {
    const response = await fetch(`${platform.requests}/models/default/hello/`);
    if (!(await response.text()).includes('Hello World!')) return [`status ${response.status}`];
    revisions.add(response.headers.get('rouse-revision') ?? '');
  }
  return [...revisions].toSorted((a, b) => a.localeCompare(b));
}

/** What the API server says of a document, without making anything of it. */
async function judge(document: unknown): Promise<string> {
  return await kubectlSays(['create', '--dry-run=server', '-f', '-'], document);
}

async function wronglyTaken(): Promise<string[]> {
  const wrong: string[] = [];
  for (const { document, key, message = '' } of REJECTED) {
    const said = await judge(document);
    if (!said.includes(` ${key}: `) || !said.includes(message)) wrong.push(`${key}: ${said}`);
  }
  return wrong;
}

async function wronglyRefused(): Promise<string[]> {
  const wrong: string[] = [];
  for (const document of fc.sample(modelFiles, { numRuns: FILES })) {
    const said = await judge(document);
    if (!said.endsWith('created (server dry run)'))
      wrong.push(`${said}: ${JSON.stringify(document)}`);
  }
  return wrong;
}

/** One that a repository would write again: it goes when nobody asks for it, and comes back as a new one. */
async function collect(platform: Platform): Promise<unknown> {
  const unused = makeModel('unused', {
    revision: makeRevision('v1'),
    keepAlive: { policy: 'fixed', idle: '1s' },
    retention: { models: { unusedFor: '10s' } },
  });
  const uid = ['get', 'models.rouse.dev', 'unused', '-o', 'jsonpath={.metadata.uid}'];
  const parts = ['get', 'ksvc,revisions.serving.knative.dev,pods', '-o', 'name'];
  const ofIt = ['--selector', 'rouse.dev/model=unused'];
  await apply(unused);
  await untilReady('unused');
  const first = await kubectl(...uid);
  await untilObject('--for=delete', 'models.rouse.dev/unused');
  await untilCluster(
    'nothing is left of it',
    async () => (await kubectl(...parts, ...ofIt)) === '',
  );
  await apply(unused);
  await untilReady('unused');
  const isNew = (await kubectl(...uid)) !== first;
  const response = await fetch(`${platform.requests}/models/default/unused/`);
  const { stdout } = await platform.rouse('get', 'events', 'unused');
  return {
    isNew,
    answered: response.headers.get('rouse-revision'),
    told: stdout.split('\n').filter((line) => line.includes('ModelUnused')),
  };
}

let platform = await start();
try {
  // It comes after the platform, which has to find it.
  await kubectl('apply', '--server-side', '-f', DEFINITION);
  await untilDefined((args) => kubectl(...args));
  seen['wronglyTaken'] = await wronglyTaken();
  seen['wronglyRefused'] = await wronglyRefused();

  seen['applied'] = await apply(makeHello(100));
  await untilReady('hello');
  seen['answered'] = await answering(platform);
  seen['synced'] = await kubectlSays([...AS_GITOPS, '-f', '-'], makeHello(50));
  await untilSplit('hello', 'v1 50 % · v2 50 %');
  seen['split'] = await answering(platform);
  const { stdout } = await platform.rouse('get', 'events', 'hello');
  seen['events'] = stdout.split('\n').filter((line) => line.includes('TrafficChanged'));
  seen['owner'] = JSON.parse(
    await kubectl('get', 'ksvc', 'hello', '-o', 'jsonpath={.metadata.ownerReferences[0]}'),
  );

  seen['sum'] = await kubectlSays([
    'patch',
    'models.rouse.dev/hello',
    '--type=json',
    '--patch',
    JSON.stringify([{ op: 'replace', path: '/spec/traffic/0/percent', value: 60 }]),
  ]);
  seen['typo'] = await apply(
    makeModel('typo', { revision: { ...makeRevision('v1'), concurency: 1 } }),
  );
  await apply(makeModel('path', { revision: { runtime: 'onnx', source: './digits.onnx' } }));
  await untilCluster('it is told', async () => (await statusOf('path')).observedGeneration === 1);
  seen['path'] = await reasonOf('path', 'Accepted');
  await apply(
    makeModel('broken', {
      revision: { ...makeRevision('v1'), source: 'dev.local/none:v1' },
      scaling: { min: 1 },
    }),
  );
  await untilCluster('its failure is told', async () =>
    /pulled/.test(await reasonOf('broken', 'Ready')),
  );
  seen['broken'] = await reasonOf('broken', 'Ready');

  const { status, stderr } = await platform.rouse('traffic', 'hello', 'v1=100');
  seen['cli'] = `${status} ${stderr.trim()}`;
  seen['listed'] = await kubectl('get', 'models.rouse.dev');

  seen['collected'] = await collect(platform);

  await signalComponent('kube-apiserver', 'SIGKILL');
  seen['apiServerAway'] = await answering(platform);
  await startComponent('kube-apiserver');
  await kubectl(...patch('hello', split(0)));
  await untilSplit('hello', 'v1 0 % · v2 100 %');
  seen['apiServerBack'] = await answering(platform);

  await platform.end('SIGKILL');
  await kubectl(...patch('hello', split(100)));
  await kubectl('delete', 'models.rouse.dev', 'broken', '--wait=false');
  platform = await start();
  await untilSplit('hello', 'v1 100 % · v2 0 %');
  seen['rouseBack'] = await answering(platform);
  await kubectl('delete', 'models.rouse.dev', '--all', PATIENCE);
  await untilObject('--for=delete', 'ksvc', '--all');
  seen['left'] = JSON.parse((await platform.rouse('get', 'models', '-o', 'json')).stdout);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
} catch (error) {
  process.stderr.write(`${JSON.stringify(seen, undefined, 2)}\n${platform.output()}`);
  throw error;
} finally {
  // With all that there is of them.
  await kubectl('delete', 'crd', 'models.rouse.dev', '--ignore-not-found', PATIENCE);
  await platform.end();
  await removeFolder(folder);
}
