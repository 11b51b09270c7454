import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadCatalog } from '#control/records/catalog.ts';
import type { KnownSchedule } from '#control/schedules/book.ts';
import { createProbes, type Probes } from '#control/schedules/probes.ts';
import { scheduleDocument, type ScheduleInput } from '#domain/schedule.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import { systemClock } from '#lib/clock.ts';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';
import { createHarness, deployed, type Harness, program } from '../harness.ts';

type Request = { url: string; method: string; revision: string; body: string };
type Probe = NonNullable<ScheduleInput['spec']['probe']>;

let harness: Harness;
let server: Server;
let probes: Probes;
let asked: Request[];
/** What the data plane answers, by revision; undefined: nothing. */
let answers: Record<string, { status: number; body: string } | 'half' | undefined>;

beforeEach(async () => {
  harness = await createHarness();
  await deployed(harness);
  await harness.apply({ revision: { ...program(), env: { A: '2' } } });
  await harness.pass(3);
  asked = [];
  answers = {};
  server = createServer((request, response) => void answer(request, response));
  const port = await reservePort();
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  const { store } = harness;
  const catalog = await loadCatalog(store);
  const dataPlane = { dataPlane: `http://127.0.0.1:${port}`, proxyProtocol: false };
  probes = createProbes({
    catalog,
    store,
    clock: systemClock,
    dataPlane,
  });
});

afterEach(async () => {
  probes.close();
  server.closeAllConnections();
  server.close();
  await harness.close();
});

const RUN: ScheduleRun = {
  id: 'p-1',
  namespace: 'default',
  schedule: 'p',
  task: 'probe',
  trigger: 'time',
  scheduledAt: 1,
  state: 'Starting',
  reason: '',
};

function start(part: Partial<Probe> = {}) {
  const request = { path: '/predict', body: { x: 1 } };
  const document: ScheduleInput = {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Schedule',
    metadata: { name: 'p' },
    spec: {
      schedule: '@hourly',
      probe: { model: 'm', request, expect: { body: { y: 2 } }, ...part },
    },
  };
  const { spec } = scheduleDocument.parse(document);
  const value = {
    document,
    createdAt: 0,
    updatedAt: 0,
    updatedBy: { id: 'local', role: 'admin' },
    after: 0,
    missed: 0,
  } as const;
  const schedule: KnownSchedule = {
    kind: 'schedule',
    key: 'default/p',
    version: 1,
    value,
    namespace: 'default',
    name: 'p',
    spec,
  };
  return probes.task.start(RUN, schedule);
}

async function measured(): Promise<string[]> {
  const minute = Math.floor(systemClock.now() / 60_000);
  const query = { namespace: 'default', model: 'm', from: minute - 2, to: minute, limit: 100 };
  const rows = await harness.store.measures(query);
  return rows.map(({ revision, name, count, sum }) => `${revision} ${name} ${sum}/${count}`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url = '', method = '', headers } = request;
  const revision = String(headers['rouse-revision']);
  asked.push({ url, method, revision, body: await text(request) });
  const given = answers[revision];
  if (given === 'half') {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => request.socket.destroy());
  } else if (given) response.writeHead(given.status).end(given.body);
}

/** Nobody listens there. */
async function refused(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED');
}

const right = { status: 200, body: '{"y": 2}' };

describe('a probe', () => {
  test('asks what traffic leads to, by the way of callers, and measures that it is well', async () => {
    answers = { '00002': right };
    expect(await start()).toMatchObject({
      outcome: { state: 'Succeeded', reason: expect.stringMatching(/^00002: status 200, as/) },
    });
    expect(asked).toEqual([
      { url: '/models/default/m/predict', method: 'POST', revision: '00002', body: '{"x":1}' },
    ]);
    expect(await measured()).toEqual(['00002 healthy 1/1']);
  });

  test('asks all that are ready, and tells of those that are not well', async () => {
    answers = { '00001': { status: 200, body: '{"y": 3}' }, '00002': right };
    expect(await start({ revisions: 'ready', measure: 'sane' })).toMatchObject({
      outcome: {
        state: 'Failed',
        reason: expect.stringMatching(/^00001: another body than expected: {"y": 3}, after \S+$/),
      },
    });
    expect((await measured()).toSorted()).toEqual(['00001 sane 0/1', '00002 sane 1/1']);
  });

  test('counts once, however often it is begun', async () => {
    answers = { '00002': right };
    await start();
    await start();
    expect(await measured()).toEqual(['00002 healthy 1/1']);
  });

  test('has failed when nothing answers in time', async () => {
    expect(await start({ timeout: '50ms' })).toEqual({
      outcome: { state: 'Failed', reason: '00002: no answer within 50ms' },
    });
    expect(await measured()).toEqual(['00002 healthy 0/1']);
  });

  test('that the data plane did not answer is no verdict on the model', async () => {
    server.close();
    await expect(start({ timeout: '2s' })).rejects.toThrow(
      'the data plane did not answer: connect ECONNREFUSED',
    );
    expect(await measured()).toEqual([]);
  });

  test('waits for a data plane that does not take connections yet', async () => {
    answers = { '00002': right };
    const { port } = server.address() as AddressInfo;
    server.close();
    const begun = start();
    await refused(port);
    server.listen(port, '127.0.0.1');
    expect(await begun).toMatchObject({ outcome: { state: 'Succeeded' } });
    expect(await measured()).toEqual(['00002 healthy 1/1']);
  });

  test('does not wait for it when Rouse ends', async () => {
    const { port } = server.address() as AddressInfo;
    server.close();
    const begun = start({ timeout: '1h' });
    await refused(port);
    probes.close();
    await expect(begun).rejects.toThrow('the data plane did not answer');
    expect(await measured()).toEqual([]);
  });

  test('that Rouse ended meanwhile is no verdict on the model', async () => {
    const begun = start();
    await until('it is asked', () => asked.length > 0);
    probes.close();
    await expect(begun).rejects.toThrow('the data plane did not answer');
    expect(await measured()).toEqual([]);
  });

  test('has failed when the answer breaks off', async () => {
    answers = { '00002': 'half' };
    expect(await start()).toMatchObject({ outcome: { state: 'Failed' } });
    expect(await measured()).toEqual(['00002 healthy 0/1']);
  });

  test('is told as such when its model has gone', async () => {
    await expect(start({ model: 'x' })).rejects.toThrow('there is no model default/x');
  });
});
