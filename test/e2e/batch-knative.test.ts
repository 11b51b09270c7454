import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '#knative/api/objects.ts';
import { JOBS, SERVICES } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { type Doubler, startDoubler } from '#test/batch/shards/doubler.ts';
import { type ApiServer, startApiServer } from '#test/knative/api-server.ts';
import { createFakeJobs, type FakeJobs } from '#test/knative/fake-jobs.ts';
import { createFakeKnative, type FakeKnative } from '#test/knative/fake-knative.ts';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, type Ran, removeFolder, startPlatform } from './platform.ts';

/**
 * Batch jobs of `rouse serve --runtime knative` on an API server of the test's own: pods of models are one server here,
 * pods of shards processes.
 */

const MODEL = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: doubler }
spec:
  revision: { name: v1, runtime: image, source: dev.local/doubler:v1 }
  keepAlive: { policy: fixed, idle: 1s }
`;
const ROWS = 1000;
const ARGS = ['--map', 'x=x', '--columns', 'id', '--batch-size', '4'] as const;

let folder: string;
let server: ApiServer;
let knative: FakeKnative;
let jobs: FakeJobs;
let model: Doubler;
let platform: Platform;
/** The data plane's port; undefined: it is away. */
let target: number | undefined;
/** The Service by which pods of shards reach it, in all of its lives. */
const service = createServer((request, response) => {
  if (target === undefined) {
    response.statusCode = 503;
    response.end(JSON.stringify({ code: 'unavailable', error: 'it is away' }));
    return;
  }
  const { method, headers, url: path } = request;
  const to = send({ host: '127.0.0.1', port: target, method, headers, path }, (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    answer.pipe(response);
  });
  to.on('error', () => response.destroy());
  request.pipe(to);
});
let servicePort: number;

beforeAll(async () => {
  folder = await makeFolder();
  await mkdir(inBatch(''));
  model = await startDoubler();
  server = await startApiServer();
  server.store.put(
    { root: '/apis/apiextensions.k8s.io/v1', plural: 'customresourcedefinitions' },
    {
      metadata: {
        name: 'services.serving.knative.dev',
        labels: { 'app.kubernetes.io/version': '1.23.0' },
      },
    },
  );
  knative = createFakeKnative({ store: server.store, clock: systemClock });
  knative.onPod(here);
  jobs = createFakeJobs(server.store);
  await writeFile(join(folder, 'model.yaml'), MODEL);
  const rows = Array.from({ length: ROWS }, (_, id) => `${id},${id % 500 === 99 ? -id : id / 4}`);
  await writeFile(inBatch('in.csv'), ['id,x', ...rows].join('\n'));
  servicePort = await listening(service);
  platform = await start();
  const applied = await platform.rouse('apply', '-f', 'model.yaml');
  expect(applied.status, applied.stderr).toBe(0);
}, 300_000);

afterAll(async () => {
  await platform?.end();
  service.close();
  await jobs?.close();
  knative?.close();
  await server?.close();
  model?.close();
  await removeFolder(folder);
});

function inBatch(name: string): string {
  return join(folder, 'batch', name);
}

async function start(): Promise<Platform> {
  const runtime = ['--runtime', 'knative', '--knative-image', 'dev.local/server:v1'];
  const control = ['--knative-control', 'http://127.0.0.1:1'];
  const files = ['--knative-batch-folder', inBatch('')];
  const claim = ['--knative-batch-claim', 'rouse-system/rouse-batch'];
  const requests = ['--knative-batch-requests', `http://127.0.0.1:${servicePort}`];
  const env = { KUBECONFIG: server.kubeconfig };
  const started = await startPlatform(folder, {
    args: [...runtime, ...control, ...files, ...claim, ...requests],
    env,
  });
  target = started.port;
  return started;
}

/** Its queue-proxy is the model. */
function here(pod: Pod): Pod {
  const ports = [{ name: 'queue-port', containerPort: model.port }];
  const containers = [{ name: 'model' }, { name: 'queue-proxy', ports }];
  return {
    ...pod,
    spec: { ...pod.spec, containers },
    ...(pod.status && { status: { ...pod.status, podIP: '127.0.0.1' } }),
  };
}

function batch(...args: string[]): Promise<Ran> {
  return platform.rouse('batch', 'doubler', inBatch('in.csv'), '-o', ...args);
}

interface JobShape {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly rows: { readonly done: number };
}

async function findJob(output: string): Promise<JobShape> {
  const response = await fetch(`${platform.control}/api/v1/jobs`);
  const { items } = (await response.json()) as {
    items: (JobShape & { spec: { output: { path: string } } })[];
  };
  const found = items.find(({ spec }) => spec.output.path === inBatch(output));
  if (!found) throw new Error(`there is no job for ${output}`);
  return found;
}

/** Of a job that was detached. */
async function untilEnded(output: string): Promise<JobShape> {
  await until(`the job for ${output} has ended`, async () => {
    const { state } = await findJob(output);
    return state !== 'Running' && state !== 'Pending';
  });
  return await findJob(output);
}

const jobNames = (): string[] => server.store.all(JOBS).map(({ metadata }) => metadata.name);

async function untilClean(): Promise<void> {
  await until('nothing is left of it', async () => {
    const services = server.store.all(SERVICES).map(({ metadata }) => metadata.name);
    const left = await readdir(inBatch('.rouse/default')).catch(() => []);
    return services.join() === 'doubler' && jobNames().length === 0 && left.length === 0;
  });
}

test('a job is scored by pods of a model of its own, beside control', async () => {
  const ran = await batch(inBatch('calm.csv'), ...ARGS);
  expect(ran.status, ran.stdout + ran.stderr).toBe(0);
  const lines = (await readFile(inBatch('calm.csv'), 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(ROWS - 2 + 1);
  expect(lines[2]).toBe('1,0.5');
  expect(jobNames()).toEqual([]);
  await untilClean();
});

describe('with shards', () => {
  test('it is an Indexed Job, and writes the same though a pod and Rouse are killed', async () => {
    const args = [...ARGS, '--shards', '4'];
    const held = model.holdAfter(60);
    expect(await batch(inBatch('sharded.csv'), ...args, '--detach')).toMatchObject({ status: 0 });
    await held;
    const [name = ''] = jobNames();
    expect(server.store.get(JOBS, 'rouse-system', name)?.spec).toMatchObject({ completions: 4 });
    await until('some rows are done', async () => (await findJob('sharded.csv')).rows.done > 50);
    const shards = jobs.shardsOf(name);
    shards?.kill(shards.indexes().at(-1) ?? 0);
    target = undefined;
    await platform.end('SIGKILL');
    model.release();
    platform = await start();
    expect(await untilEnded('sharded.csv')).toMatchObject({ state: 'Succeeded' });
    for (const end of ['', '.failed.jsonl']) {
      const expected = await readFile(inBatch(`calm.csv${end}`), 'utf8');
      expect(await readFile(inBatch(`sharded.csv${end}`), 'utf8')).toBe(expected);
    }
    await untilClean();
  }, 300_000);

  test('it rests while it is paused, and goes on', async () => {
    const args = [...ARGS, '--shards', '2'];
    const held = model.holdAfter(60);
    expect(await batch(inBatch('paused.csv'), ...args, '--detach')).toMatchObject({ status: 0 });
    await held;
    const { id } = await findJob('paused.csv');
    expect(await platform.rouse('job', 'pause', id)).toMatchObject({ status: 0 });
    await until('its pods have gone', () => jobNames().length === 0);
    model.release();
    expect(await platform.rouse('job', 'resume', id)).toMatchObject({ status: 0 });
    expect(await untilEnded('paused.csv')).toMatchObject({ state: 'Succeeded' });
    const expected = await readFile(inBatch('calm.csv'), 'utf8');
    expect(await readFile(inBatch('paused.csv'), 'utf8')).toBe(expected);
    await untilClean();
  }, 300_000);

  test('it leaves nothing when it is cancelled', async () => {
    const args = [...ARGS, '--shards', '2'];
    const held = model.holdAfter(60);
    expect(await batch(inBatch('cut.csv'), ...args, '--detach')).toMatchObject({ status: 0 });
    await held;
    const { id } = await findJob('cut.csv');
    expect(await platform.rouse('job', 'cancel', id)).toMatchObject({ status: 0 });
    model.release();
    await untilClean();
    expect((await readdir(inBatch(''))).filter((name) => name.includes('cut'))).toEqual([]);
  }, 300_000);
});

describe('what is out of bounds is refused before it is looked at', () => {
  test.each([
    ['an input', '/etc/passwd', 'out.csv', '/etc/passwd is out of bounds: expected a path in'],
    ['an input by a detour', '../state/rouse.db', 'out.csv', 'rouse.db is out of bounds'],
    ['one that is not there', '/nowhere.csv', 'out.csv', '/nowhere.csv is out of bounds'],
    ['an output', 'in.csv', '/tmp/out.csv', '/tmp/out.csv is out of bounds'],
    ['a file of a job', 'in.csv', '.rouse/out.csv', 'data folder of Rouse'],
  ])('%s', async (_, input, output, why) => {
    const at = (path: string): string => (path.startsWith('/') ? path : inBatch(path));
    await mkdir(inBatch('.rouse'), { recursive: true });
    const args = ['doubler', at(input), '-o', at(output), '--format', 'csv', ...ARGS];
    const ran = await platform.rouse('batch', ...args);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain(why);
  });
});
