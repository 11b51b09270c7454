import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as send } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BatchRequest, JobAction } from '#domain/job.ts';
import { JOBS, SERVICES } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { type Doubler, startDoubler } from '#test/batch/shards/doubler.ts';
import { type ApiServer, startApiServer } from '#test/knative/api-server.ts';
import { createFakeJobs, type FakeJobs } from '#test/knative/fake-jobs.ts';
import {
  createFakeKnative,
  declareKnative,
  type FakeKnative,
  servedAt,
} from '#test/knative/fake-knative.ts';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

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
const ROWS = 400;
const JOBS_PATH = '/api/v1/namespaces/default/jobs';

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
  declareKnative(server.store);
  knative = createFakeKnative({ store: server.store, clock: systemClock });
  knative.onPod((pod) => servedAt(pod, model.port));
  jobs = createFakeJobs(server.store);
  await writeFile(join(folder, 'model.yaml'), MODEL);
  const rows = Array.from({ length: ROWS }, (_, id) => `${id},${id % 200 === 99 ? -id : id / 4}`);
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

function makeRequest(output: string, part: Partial<BatchRequest> = {}): BatchRequest {
  return {
    model: 'doubler',
    input: { location: inBatch('in.csv') },
    output: { path: inBatch(output), columns: ['id'] },
    map: { x: ['x'] },
    batchSize: 4,
    ...part,
  };
}

async function post(path: string, json: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(json);
  return await fetch(platform.control + path, { method: 'POST', headers, body });
}

interface JobShape {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly rows: { readonly done: number };
}

/** Its id. */
async function begin(output: string, part?: Partial<BatchRequest>): Promise<string> {
  const response = await post(JOBS_PATH, makeRequest(output, part));
  const text = await response.text();
  expect(response.status, text).toBe(201);
  return (JSON.parse(text) as JobShape).id;
}

async function act(id: string, action: JobAction): Promise<void> {
  const response = await post(`${JOBS_PATH}/${id}`, { action });
  expect(response.status, await response.text()).toBe(200);
}

async function show(id: string, accept: string): Promise<Response> {
  return await fetch(`${platform.control}${JOBS_PATH}/${id}`, { headers: { accept } });
}

async function find(id: string): Promise<JobShape> {
  return (await (await show(id, 'application/json')).json()) as JobShape;
}

async function untilEnded(id: string): Promise<JobShape> {
  // Which ends with the job.
  await (await show(id, 'text/event-stream')).text();
  return await find(id);
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
  expect(await untilEnded(await begin('calm.csv'))).toMatchObject({ state: 'Succeeded' });
  const lines = (await readFile(inBatch('calm.csv'), 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(ROWS - 2 + 1);
  expect(lines[2]).toBe('1,0.5');
  expect(jobNames()).toEqual([]);
  await untilClean();
});

describe('with shards', () => {
  test('it is an Indexed Job, and writes the same though a pod and Rouse are killed', async () => {
    const held = model.holdAfter(30);
    const to = ['doubler', inBatch('in.csv'), '-o', inBatch('sharded.csv'), '--detach'];
    const how = ['--map', 'x=x', '--columns', 'id', '--batch-size', '4', '--shards', '4'];
    const ran = await platform.rouse('batch', ...to, ...how);
    expect(ran.status, ran.stderr).toBe(0);
    const [id = ''] = ran.stdout.split(' ');
    await held;
    const [name = ''] = jobNames();
    expect(server.store.get(JOBS, 'rouse-system', name)?.spec).toMatchObject({ completions: 4 });
    await until('some rows are done', async () => (await find(id)).rows.done > 50);
    const shards = jobs.shardsOf(name);
    shards?.kill(shards.indexes().at(-1) ?? 0);
    target = undefined;
    await platform.end('SIGKILL');
    model.release();
    platform = await start();
    expect(await untilEnded(id)).toMatchObject({ state: 'Succeeded' });
    expect(shards?.failures).toEqual([]);
    for (const end of ['', '.failed.jsonl']) {
      const expected = await readFile(inBatch(`calm.csv${end}`), 'utf8');
      expect(await readFile(inBatch(`sharded.csv${end}`), 'utf8')).toBe(expected);
    }
    await untilClean();
  }, 300_000);

  test('it rests while it is paused, and goes on', async () => {
    const held = model.holdAfter(30);
    const id = await begin('paused.csv', { shards: 2 });
    await held;
    await act(id, 'pause');
    await until('its pods have gone', () => jobNames().length === 0);
    model.release();
    await act(id, 'resume');
    expect(await untilEnded(id)).toMatchObject({ state: 'Succeeded' });
    const expected = await readFile(inBatch('calm.csv'), 'utf8');
    expect(await readFile(inBatch('paused.csv'), 'utf8')).toBe(expected);
    await untilClean();
  }, 300_000);

  test('it leaves nothing when it is cancelled', async () => {
    const held = model.holdAfter(30);
    const id = await begin('cut.csv', { shards: 2 });
    await held;
    await act(id, 'cancel');
    model.release();
    await untilClean();
    expect((await readdir(inBatch(''))).filter((name) => name.includes('cut'))).toEqual([]);
  }, 300_000);
});

test('what is out of bounds is refused', async () => {
  await mkdir(inBatch('.rouse'), { recursive: true });
  const input = { location: join(folder, 'state/rouse.db'), format: 'csv' } as const;
  const outside = await post(JOBS_PATH, makeRequest('out.csv', { input }));
  expect(outside.status).toBe(403);
  expect(await outside.text()).toContain('rouse.db is out of bounds');
  const own = await post(JOBS_PATH, makeRequest('.rouse/out.csv'));
  expect(own.status).toBe(403);
  expect(await own.text()).toContain('data folder of Rouse');
});
