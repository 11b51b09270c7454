import { writeFile } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JOBS, PODS } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { type ApiServer, startApiServer } from '#test/knative/api-server.ts';
import {
  createFakeKnative,
  declareKnative,
  type FakeKnative,
  servedAt,
} from '#test/knative/fake-knative.ts';
import { createFakePods, type FakePods } from '#test/knative/programs/fake-pods.ts';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { makeRows, TRAINED, writeRows } from './digit-rows.ts';
import {
  makeFolder,
  type Platform,
  type Ran,
  removeFolder,
  runRouse,
  startPlatform,
} from './platform.ts';

/**
 * Programs of `rouse serve --runtime knative` on an API server of the test's own: pods of models are one server here, those
 * of programs processes, which reach control as pods do.
 */

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');
const DIGITS = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revisions: [{ name: v1, runtime: onnx, source: ${SAMPLES}/v1.onnx }]
  selection: { strategy: periodicBest, schedule: { every: 1s }, change: now }
  keepAlive: { policy: fixed, idle: 1s }
`;
/** Waits until it may, so that a test can do something meanwhile. */
const HELD = 'echo held; while [ ! -e "$GATE" ]; do sleep 0.05; done; exec "$@"';

let folder: string;
let server: ApiServer;
let knative: FakeKnative;
let pods: FakePods;
let platform: Platform;
/** Control's address; undefined: it is away. */
let control: URL | undefined;
const service = createServer((request, response) => {
  if (!control) {
    response.destroy();
    return;
  }
  const { method, headers, url: path } = request;
  const to = { host: control.hostname, port: control.port, method, headers, path };
  const sent = send(to, (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    answer.pipe(response);
  });
  sent.on('error', () => response.destroy());
  request.pipe(sent);
});
const model = createServer((_request, response) => response.end('{}'));
let servicePort: number;

beforeAll(async () => {
  folder = await makeFolder();
  server = await startApiServer();
  declareKnative(server.store);
  knative = createFakeKnative({ store: server.store, clock: systemClock });
  const port = await listening(model);
  knative.onPod((pod) => servedAt(pod, port));
  pods = createFakePods(server.store);
  servicePort = await listening(service);
  platform = await start();
  await writeFile(join(folder, 'digits.yaml'), DIGITS);
  const applied = await platform.rouse('apply', '-f', 'digits.yaml');
  expect(applied.status, applied.stderr).toBe(0);
  const rows = makeRows();
  await writeRows(join(folder, 'rows'), rows.slice(0, TRAINED), rows.slice(TRAINED));
}, 300_000);

afterAll(async () => {
  await platform?.end();
  await pods?.close();
  knative?.close();
  await server?.close();
  service.close();
  model.close();
  await removeFolder(folder);
});

async function start(): Promise<Platform> {
  const runtime = ['--runtime', 'knative', '--knative-image', 'dev.local/server:v1'];
  const started = await startPlatform(folder, {
    args: [...runtime, '--knative-control', `http://127.0.0.1:${servicePort}`],
    env: { KUBECONFIG: server.kubeconfig },
  });
  control = new URL(started.control);
  return started;
}

/** Its id. */
async function begin(gate: string, ...about: string[]): Promise<string> {
  const env = ['--env', `GATE=${join(folder, gate)}`];
  const held = ['sh', '-c', HELD, 'sh', process.execPath, '${SOURCE}'];
  const source = ['--source', `${SAMPLES}/retrain.mjs`, '--data', join(folder, 'rows')];
  const ran = await run('program', ...source, ...about, ...env, '--detach', '--', ...held);
  expect(ran.status, ran.stderr).toBe(0);
  const [id = ''] = ran.stdout.split(' ');
  await until('it runs', async () => (await logs(id)).includes('held'));
  return id;
}

/** What stands behind `--` is the program's. */
function run(...args: string[]): Promise<Ran> {
  return runRouse(['--server', platform.control, ...args], folder);
}

const logs = async (id: string): Promise<string> => (await run('job', 'logs', id)).stdout;
const open = (gate: string): Promise<void> => writeFile(join(folder, gate), '');
const uids = () => server.store.all(JOBS).map(({ metadata }) => metadata.uid);

interface JobShape {
  readonly state: string;
  readonly reason: string;
  readonly attempts: number;
}

async function find(id: string): Promise<JobShape> {
  const response = await fetch(`${platform.control}/api/v1/namespaces/default/jobs/${id}`);
  return (await response.json()) as JobShape;
}

async function untilState(id: string, state: string): Promise<JobShape> {
  let found = await find(id);
  await until(`the job is ${state}, and was ${found.state}: ${found.reason}`, async () => {
    found = await find(id);
    return found.state === state;
  });
  return found;
}

const programPods = () =>
  server.store.all(PODS).filter(({ metadata }) => metadata.labels?.['rouse.dev/job'] !== undefined);

async function untilClean(): Promise<void> {
  await until('nothing is left of it', () => uids().length + programPods().length === 0);
}

test('a model is retrained by a pod that outlives Rouse, and serves because it is better', async () => {
  const id = await begin('first', '--model', 'digits');
  const [uid] = uids();
  control = undefined;
  await platform.end('SIGKILL');
  await open('first');
  await until('it has learned', () =>
    programPods().some((pod) => JSON.stringify(pod.status).includes('"program"')),
  );
  expect(uids()).toEqual([uid]);
  platform = await start();
  const done = await untilState(id, 'Succeeded');
  expect(done).toMatchObject({ attempts: 1 });
  expect(done.reason).toContain('it made revision 00002 of model digits');
  await platform.untilModel('digits', ({ status }) =>
    status.traffic.some(({ revision, percent }) => revision === '00002' && percent === 100),
  );
  expect(await logs(id)).toContain('340 rows; right of 200 others');
  const why = (await platform.rouse('why', 'digits')).stdout;
  expect(why).toMatch(/RevisionCreated 00002 +made by job digits-\w+ from v1 with data sha256:/);
  await untilClean();
}, 300_000);

test('one that is ended with Rouse as it should be goes on, too', async () => {
  const id = await begin('second');
  const [uid] = uids();
  control = undefined;
  await platform.end();
  expect(uids()).toEqual([uid]);
  platform = await start();
  await until('it is known of', async () => (await logs(id)).includes('held'));
  await run('job', 'cancel', id);
  expect(await untilState(id, 'Cancelled')).toMatchObject({ attempts: 1 });
  await untilClean();
  expect(await logs(id)).toContain('held');
}, 300_000);

test('one whose pod is killed is begun again', async () => {
  const id = await begin('third', '--model', 'digits', '--parent', 'v1');
  const [pod = ''] = pods.running();
  await pods.kill(pod);
  await open('third');
  const done = await untilState(id, 'Succeeded');
  expect(done).toMatchObject({ attempts: 2, failures: 0 });
  expect(done.reason).toContain('is revision 00002 of model digits already');
  await untilClean();
}, 300_000);

test('what cannot be done here is refused, with what would be right', async () => {
  const headers = { 'content-type': 'application/json' };
  const post = async (json: unknown) => {
    const init = { method: 'POST', headers, body: JSON.stringify(json) };
    const response = await fetch(`${platform.control}/api/v1/namespaces/default/jobs`, init);
    return [response.status, await response.text()] as const;
  };
  const [status, text] = await post({ kind: 'program', args: ['true'], data: '/etc/passwd' });
  expect([status, text]).toEqual([422, expect.stringContaining('expected the sha256: digest')]);
  const input = { location: '/batch/in.csv' };
  const batch = await post({ model: 'digits', input, output: { path: '/batch/out.csv' } });
  expect(batch).toEqual([501, expect.stringContaining('--knative-batch-folder')]);
});
