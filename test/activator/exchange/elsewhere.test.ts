import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { RoutingInstance } from '#domain/routing.ts';
import { listening } from '#test/listening.ts';
import { call, dial, makeInstance, makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** What runs elsewhere (runtime `url`) does not end with its model: its streams do. */

const PATH = '/models/default/digits/';
const harness = useHarness();

function elsewhere(port: number): RoutingInstance {
  const address = { node: 'test', host: '127.0.0.1', port, authority: `h:${port}`, basePath: '' };
  return makeInstance(port, { address });
}

async function inFlight(): Promise<number> {
  return await harness.gauge('rouse_requests_in_flight');
}

/** An instance that begins to answer and goes on for ever. */
async function serveStream(instanceOf: (port: number) => RoutingInstance) {
  const left = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<Socket>();
  const { port } = await harness.startBareInstance((socket) => {
    socket.on('close', () => left.resolve());
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
      begun.resolve(socket);
    });
  });
  const instance = instanceOf(port);
  harness.publisher.update({ models: [makeModel()], instances: [instance] });
  await harness.activator.ready;
  const client = await dial(harness.port);
  harness.teardown(() => client.socket.destroy());
  client.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
  await client.until(/first/);
  return { client, instance, left: left.promise, socket: await begun.promise };
}

test('a stream is cut when its instance is gone, here and there', async () => {
  const { client, instance, left } = await serveStream(elsewhere);
  harness.publisher.update({ removedInstances: [instance.id], removedModels: ['default/digits'] });
  expect(await client.closed).not.toMatch(/\r\n0\r\n\r\n$/);
  await left;
  await expect.poll(inFlight).toBeLessThanOrEqual(0);
});

test('while it drains it goes on', async () => {
  const { client, instance, socket } = await serveStream(elsewhere);
  harness.publisher.update({ instances: [{ ...instance, state: 'draining' }] });
  await call(harness.port, '/healthz');
  socket.write('4\r\nlast\r\n0\r\n\r\n');
  expect(await client.until(/last\r\n0\r\n\r\n$/)).toContain('first');
});

test('what is left of the answer of a process that has ended is still passed on', async () => {
  const { client, instance, socket } = await serveStream((port) => makeInstance(port));
  harness.publisher.update({ removedInstances: [instance.id] });
  await expect
    .poll(() => call(harness.port, PATH, { headers: { 'rouse-hold': '0' } }))
    .toMatchObject({
      status: 503,
    });
  socket.write('4\r\nlast\r\n0\r\n\r\n');
  expect(await client.until(/last\r\n0\r\n\r\n$/)).toContain('first');
});

test('a gRPC call is cut, too', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc' });
    response.write('first');
  });
  const ended = Promise.withResolvers<void>();
  server.on('sessionError', () => {});
  server.on('session', (session) => session.once('close', ended.resolve));
  const port = await listening(server);
  harness.teardown(() => server.close());
  harness.publisher.update({ models: [makeModel()], instances: [elsewhere(port)] });
  await harness.activator.ready;
  const session = connect(`http://127.0.0.1:${harness.port}`);
  harness.teardown(() => session.destroy());
  const headers = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc' };
  const stream = session.request(headers);
  const closed = Promise.withResolvers<void>();
  stream.on('error', () => {});
  stream.on('close', closed.resolve);
  await once(stream, 'data');
  harness.publisher.update({ removedInstances: [elsewhere(port).id] });
  await closed.promise;
  expect(stream.rstCode).not.toBe(0);
  await ended.promise;
  await expect.poll(inFlight).toBe(0);
});
