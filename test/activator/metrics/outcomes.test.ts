import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Metadata, type ServerWritableStream, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { RevisionLoad } from '#bus/messages.ts';
import { systemClock } from '#lib/clock.ts';
import { until } from '#test/until.ts';
import { call, dial, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { download, openClient, readAll, startGrpcInstance } from '../http2/grpc-service.ts';
import { useHarness } from '../use-harness.ts';

const harness = useHarness();
const KEYS = ['ok', 'failed'] as const;
type Sums = Partial<Record<(typeof KEYS)[number], number>>;

/** All that was told of the revision until now. */
function told(): Sums {
  const sums: Sums = {};
  for (const load of loads()) {
    for (const key of KEYS) if (load[key]) sums[key] = (sums[key] ?? 0) + load[key];
  }
  return sums;
}

function loads(): readonly RevisionLoad[] {
  return harness.reports.flatMap((report) => (report.type === 'load' ? report.revisions : []));
}

/** Resolves when nothing is to be told any more: whatever has ended is counted then. */
async function settled(): Promise<Sums> {
  const seen = harness.reports.length;
  await until('the load of all requests is told', () =>
    Promise.resolve(
      harness.reports
        .slice(seen)
        .some((report) => report.type === 'load' && report.revisions.length === 0),
    ),
  );
  return told();
}

function countIn(pairs: readonly number[] = []): number {
  return pairs.reduce((sum, each, at) => sum + (at % 2 === 1 ? each : 0), 0);
}

const PATH = '/models/default/digits/';
const answer =
  (status: number) =>
  (_: IncomingMessage, response: ServerResponse): unknown =>
    response.writeHead(status).end('said');

test.each([
  [200, { ok: 1 }],
  [404, { ok: 1 }],
  [500, { failed: 1 }],
  [503, { failed: 1 }],
])('an answer of %d', async (status, outcome) => {
  await harness.serve(answer(status));
  expect(await call(harness.port, PATH)).toMatchObject({ status });
  expect(await settled()).toEqual(outcome);
});

test.each([
  ['no error', status.OK, true, { ok: 1 }],
  ['an error of the server', status.INTERNAL, false, { failed: 1 }],
  ['an error of the server after a message', status.UNAVAILABLE, true, { failed: 1 }],
  ['an error of the caller', status.INVALID_ARGUMENT, false, { ok: 1 }],
  ['an error of the caller after a message', status.NOT_FOUND, true, { ok: 1 }],
])('a gRPC call that ends with %s', async (_, code, isBegun, outcome) => {
  const instance = await startGrpcInstance({
    download(called: ServerWritableStream<Buffer, Buffer>) {
      if (isBegun) called.write(Buffer.from('said'));
      if (code === status.OK) called.end();
      else called.emit('error', { code, details: 'no' });
    },
  });
  harness.teardown(() => instance.close());
  await harness.publish(makeModel(), instance.port);
  const client = openClient(harness.port);
  harness.teardown(() => client.close());
  const metadata = new Metadata();
  metadata.set('rouse-model', 'digits');
  const ended = await readAll(download(client, metadata, '')).catch((error: unknown) => error);
  expect(ended).toEqual(code === status.OK ? ['said'] : expect.objectContaining({ code }));
  expect(await settled()).toEqual(outcome);
});

test('times of what went well, and waits of all that was answered', async () => {
  await harness.serve((incoming, response) =>
    answer(Number(incoming.headers['x-status']))(incoming, response),
  );
  for (const status of ['200', '200', '500']) {
    await call(harness.port, PATH, { headers: { 'x-status': status } });
  }
  expect(await settled()).toEqual({ ok: 2, failed: 1 });
  expect(loads().reduce((sum, { latency }) => sum + countIn(latency), 0)).toBe(2);
  expect(loads().reduce((sum, { waits }) => sum + countIn(waits), 0)).toBe(3);
});

test('an answer that is cut has failed', async () => {
  await harness.serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.destroy());
  });
  const { socket, closed } = await dial(harness.port);
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
  expect(await closed).toMatch(/half$/);
  expect(await settled()).toEqual({ failed: 1 });
});

test('a connection that is lost before an answer has failed', async () => {
  await harness.serve((incoming) => incoming.socket.destroy());
  expect(await call(harness.port, PATH)).toMatchObject({ status: 502 });
  expect(await settled()).toEqual({ failed: 1 });
});

test('a request that runs for too long has failed', async () => {
  const timeouts = { hold: 60_000, run: 50, idle: 0, drain: 30_000 };
  await harness.serve(() => {}, makeModel({ revisions: [makeRevision({ timeouts })] }));
  expect(await call(harness.port, PATH)).toMatchObject({ status: 504 });
  expect(told().ok).toBeUndefined();
  await until('it is told', () => Promise.resolve(told().failed === 1));
});

test('a revision that does not start has failed what came for it', async () => {
  const startFailure = { message: 'no such program', until: systemClock.now() + 60_000 };
  await harness.publish(makeModel({ revisions: [makeRevision({ startFailure })] }));
  expect((await call(harness.port, PATH)).status).toBe(503);
  await until('it is told', () => Promise.resolve(told().failed === 1));
});

test('a caller that leaves says nothing', async () => {
  const asked = Promise.withResolvers<void>();
  await harness.serve(() => asked.resolve());
  const { socket } = await dial(harness.port);
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
  await asked.promise;
  socket.destroy();
  await once(socket, 'close');
  await harness.report('load', ({ revisions }) => revisions.some(({ arrivals }) => arrivals === 1));
  expect(told()).toEqual({});
});

test('requests that waited for an instance to start are in none', async () => {
  const instance = await harness.startInstance(answer(200));
  await harness.publish();
  const waiting = call(harness.port, PATH);
  await harness.untilQueued(1);
  const readyAt = systemClock.now() + 1;
  harness.publisher.update({ instances: [makeInstance(instance.port, { readyAt })] });
  expect(await waiting).toMatchObject({ status: 200 });
  await call(harness.port, PATH);
  expect(await settled()).toEqual({ ok: 1 });
  expect(loads().reduce((sum, { latency }) => sum + countIn(latency), 0)).toBe(1);
});

test('what Rouse refuses for lack of room says nothing of the revision', async () => {
  const queue = { requests: 1, bytes: 1024 };
  await harness.publish(makeModel({ queue }));
  const { socket } = await dial(harness.port);
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
  await harness.untilQueued(1);
  expect((await call(harness.port, PATH)).status).toBeGreaterThanOrEqual(429);
  socket.destroy();
  await until('two arrivals are told', () =>
    Promise.resolve(loads().reduce((sum, { arrivals }) => sum + arrivals, 0) === 2),
  );
  expect(told()).toEqual({});
});
