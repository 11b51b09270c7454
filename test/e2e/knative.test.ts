import { createServer } from 'node:http';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PODAUTOSCALERS, PODS, REVISIONS, SERVICES } from '#knative/api/resources.ts';
import { type ModelObject, MODELS } from '#knative/models/object.ts';
import { systemClock } from '#lib/clock.ts';
import { type ApiServer, startApiServer } from '#test/knative/api-server.ts';
import {
  createFakeKnative,
  declareKnative,
  type FakeKnative,
  servedAt,
} from '#test/knative/fake-knative.ts';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import {
  makeFolder,
  type Platform,
  processesFor,
  removeFolder,
  runRouse,
  startPlatform,
} from './platform.ts';

/** `rouse serve --runtime knative` on an API server of the test's own; its pods are one server here. */

const makeModel = (name: string, idle: string): string => `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: { name: v1, runtime: image, source: dev.local/hello:v1 }
  keepAlive: { policy: fixed, idle: ${idle} }
`;

let folder: string;
let server: ApiServer;
let knative: FakeKnative;
let podPort: number;
let platform: Platform;
const pods = createServer((request, response) => {
  response.end(`pod ${request.headers.host}${request.url}`);
});

beforeAll(async () => {
  folder = await makeFolder();
  podPort = await listening(pods);
  server = await startApiServer();
  declareKnative(server.store);
  knative = createFakeKnative({ store: server.store, clock: systemClock });
  knative.onPod((pod) => servedAt(pod, podPort));
  // One is looked at while it is awake, the other one goes to sleep.
  await writeFile(join(folder, 'hello.yaml'), makeModel('hello', '10m'));
  await writeFile(join(folder, 'shared.yaml'), makeModel('shared', '1s'));
  platform = await start(MODELS_TOO);
});

afterAll(async () => {
  await platform?.end();
  knative?.close();
  await server?.close();
  pods.close();
  await removeFolder(folder);
});

const RUNTIME = ['--runtime', 'knative', '--knative-image', 'dev.local/server:v1'];
const CONTROL = ['--knative-control', 'http://127.0.0.1:1'];
const MODELS_TOO = '--knative-models';

async function start(...more: string[]): Promise<Platform> {
  const env = { KUBECONFIG: server.kubeconfig };
  return await startPlatform(folder, { args: [...RUNTIME, ...CONTROL, ...more], env });
}

async function ask(name = 'hello'): Promise<string> {
  return await (await fetch(`${platform.requests}/models/default/${name}/x`)).text();
}

function service(model = 'hello') {
  return server.store.all(SERVICES).find(({ metadata }) => metadata.name === model);
}

test('a model is a Knative Service: proven by a pod, asleep, woken by a request', async () => {
  const applied = await platform.rouse('apply', '-f', join(folder, 'hello.yaml'));
  expect(applied.status, applied.stderr).toBe(0);
  expect(service()?.metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'rouse' });
  await platform.untilModel('hello', ({ status }) => status.state === 'Asleep');
  expect(await ask()).toMatch(/^pod .*\/x$/);
  const { status } = await platform.model('hello');
  // The pod of the proof drains for as long as a request may take.
  expect(status.instances.map(({ state }) => state)).toEqual(['draining', 'ready']);
});

test('what runs outlives Rouse, and the next life finds it', async () => {
  await ask();
  const before = service()?.metadata.uid;
  await platform.end();
  expect(service()?.metadata.uid).toBe(before);
  platform = await start(MODELS_TOO);
  expect(await ask()).toMatch(/^pod /);
  expect(service()?.metadata.uid).toBe(before);
});

test('a model that is deleted leaves nothing in the cluster', async () => {
  expect((await platform.rouse('delete', 'hello')).status).toBe(0);
  await until('the Service is gone', () => service() === undefined);
});

/** What a repository has of it; it is written again and again. */
const SPARE: ModelObject = {
  apiVersion: 'rouse.dev/v1alpha1',
  kind: 'Model',
  metadata: { name: 'spare', namespace: 'default' },
  spec: {
    revision: { name: 'v1', runtime: 'image', source: 'dev.local/hello:v1' },
    keepAlive: { policy: 'fixed', idle: '1s' },
    retention: { models: { unusedFor: '1s' } },
  },
};

/** Its pods have nothing in hand any more. */
function drainAll(): void {
  for (const { metadata } of server.store.all(PODS)) {
    knative.drained(`${metadata.namespace}/${metadata.name}`);
  }
}

async function untilServed(): Promise<{ object: string; service: string }> {
  await platform.untilModel('spare', ({ status }) => status?.state === 'Asleep');
  const object = server.store.get(MODELS, 'default', 'spare');
  const owned = service('spare');
  expect(owned?.metadata.ownerReferences).toEqual([
    expect.objectContaining({ kind: 'Model', name: 'spare', uid: object?.metadata.uid }),
  ]);
  return { object: object?.metadata.uid ?? '', service: owned?.metadata.uid ?? '' };
}

async function untilCollected(): Promise<void> {
  await until('its object is gone', () => {
    drainAll();
    return server.store.get(MODELS, 'default', 'spare') === undefined;
  });
  await until('all that was made of it is gone', () =>
    [SERVICES, REVISIONS, PODAUTOSCALERS].every((kind) =>
      server.store.all(kind).every(({ metadata }) => !metadata.name.startsWith('spare')),
    ),
  );
}

test('an unused Model object goes with all that was made of it; applied again it is a new one', async () => {
  server.store.put(MODELS, SPARE);
  const first = await untilServed();
  await untilCollected();
  server.store.put(MODELS, SPARE);
  const second = await untilServed();
  expect(second.object).not.toBe(first.object);
  expect(second.service).not.toBe(first.service);
  // While its pods drain it is in use, and stays.
  expect(await ask('spare')).toMatch(/^pod /);
  const { stdout } = await platform.rouse('get', 'events', 'spare');
  expect(stdout.match(/ModelUnused/g)).toHaveLength(1);
  expect(stdout.match(/ModelCreated/g)).toHaveLength(2);
  expect(stdout).not.toContain('Restored');
  await untilCollected();
  // Two lives of a model, each proven by a pod.
}, 120_000);

test('Model objects are not asked for where that is not set', async () => {
  await platform.end();
  const before = server.requests.length;
  platform = await start();
  const asked = server.requests.slice(before).map(({ path }) => path);
  expect(asked).toContainEqual(expect.stringMatching(/^\/apis\/serving\.knative\.dev\//));
  expect(asked.filter((path) => path.startsWith('/apis/rouse.dev/'))).toEqual([]);
});

// Its processes are started thrice, on a machine that may be busy.
test('with workers, whose control may die and come back', async () => {
  await platform.end();
  platform = await start('--workers', '2');
  const applied = await platform.rouse('apply', '-f', join(folder, 'shared.yaml'));
  expect(applied.status, applied.stderr).toBe(0);
  await platform.untilModel('shared', ({ status }) => status.state === 'Asleep');
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('shared')));
  expect(answers.every((answer) => answer.startsWith('pod '))).toBe(true);
  const [control = 0] = await processesFor('control', folder);
  process.kill(control, 'SIGKILL');
  expect(await ask('shared')).toMatch(/^pod /);
  await until('control is back', async () => {
    const [next] = await processesFor('control', folder);
    return next !== undefined && next !== control;
  });
  // It finds what ran, lets it sleep, and wakes it.
  await until(
    'it answers',
    async () => (await platform.model('shared').catch(() => undefined)) !== undefined,
  );
  await platform.untilModel('shared', ({ status }) => status.state === 'Asleep');
  expect(await ask('shared')).toMatch(/^pod /);
  expect(await platform.end()).toBe(0);
  platform = await start();
}, 120_000);

test('a cluster that cannot be reached is named at the start', async () => {
  const kubeconfig = join(folder, 'kubeconfig');
  const cluster = '{ name: c, cluster: { server: "https://127.0.0.1:1" } }';
  await writeFile(
    kubeconfig,
    `apiVersion: v1\nkind: Config\nclusters: [${cluster}]\ncontexts: [{ name: x, context: { cluster: c } }]\ncurrent-context: x\n`,
  );
  const data = ['--data', join(folder, 'other')];
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0'];
  const ran = await runRouse(['serve', ...data, ...ports, ...RUNTIME, ...CONTROL], folder, {
    KUBECONFIG: kubeconfig,
  });
  expect(ran.status).toBe(1);
  expect(ran.stderr).toMatch(/127\.0\.0\.1:1/);
});
