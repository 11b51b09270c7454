import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import { request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { call, dial, makeInstance, makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { ask, openSession } from './client.ts';
import { DATA, END_HEADERS, fieldBlock, frame, HEADERS, RST_STREAM, SETTINGS } from './frames.ts';

/** Instances that speak nothing but HTTP/2, for callers of both protocols. */
const harness = useHarness();
const PATH = '/models/default/digits/x?y=1';

type Handler = (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void;

async function serve(handler: Handler): Promise<void> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream, headers);
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  harness.teardown(async () => {
    for (const session of sessions) session.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  const address = { node: 'test', host: '127.0.0.1', port, h2c: true } as const;
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(port, { address })] });
  await harness.activator.ready;
}

/** Answers with the request's fields, body and trailers, as JSON. */
const echo: Handler = (stream, headers) => {
  let body = '';
  let trailers: Record<string, unknown> = {};
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => (body += piece));
  stream.on('trailers', (given) => (trailers = { ...given }));
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'x-own': '1' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'x-after': '2' }));
    stream.end(JSON.stringify({ headers, body, trailers, endedAtOnce: stream.endAfterHeaders }));
  });
};

describe('an address that says h2c', () => {
  test('gets what an HTTP/1.1 caller sends as a stream, and its answer comes back in chunks', async () => {
    await serve(echo);
    const answer = await call(harness.port, PATH, { headers: { host: 'h:1', 'x-mine': 'a' } });
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'x-own': '1', 'transfer-encoding': 'chunked', 'rouse-revision': 'v1' },
    });
    expect(JSON.parse(answer.body)).toMatchObject({
      headers: { ':path': '/x?y=1', ':authority': 'h:1', 'x-mine': 'a' },
      body: '',
      endedAtOnce: true,
    });
  });

  test.each([
    ['HTTP/1.1', () => call(harness.port, PATH, { body: 'b'.repeat(100_000) })],
    [
      'HTTP/2',
      async () => {
        const session = await openSession(harness.port);
        harness.teardown(() => session.destroy());
        return await ask(session, { ':path': PATH, ':method': 'POST' }, 'b'.repeat(100_000));
      },
    ],
  ])('takes a body from a caller of %s', async (_, send) => {
    await serve(echo);
    const answer = await send();
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).body).toBe('b'.repeat(100_000));
  });

  test('trailers go both ways', async () => {
    await serve(echo);
    const sent = request({ port: harness.port, path: PATH, method: 'POST', agent: false });
    sent.setHeader('Trailer', 'x-sum');
    sent.write('first');
    sent.addTrailers({ 'x-sum': '5' });
    sent.end();
    const [response] = await once(sent, 'response');
    let body = '';
    for await (const piece of response) body += String(piece);
    expect(JSON.parse(body)).toMatchObject({ body: 'first', trailers: { 'x-sum': '5' } });
    expect(response.trailers).toMatchObject({ 'x-after': '2' });
  });

  test('the length that an answer to HEAD would have stays as it is', async () => {
    await serve((stream) => stream.respond({ 'content-length': 7 }, { endStream: true }));
    const answer = await call(harness.port, PATH, { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '7' } });
  });

  const wrong: [string, string, (stream: ServerHttp2Stream) => void][] = [
    ['is reset with NO_ERROR before it', 'first', (stream) => stream.close(0)],
    ['ends with its session before it', 'first', (stream) => stream.session?.destroy()],
    ['ends before it', 'first', (stream) => stream.end()],
    ['goes on behind it', 'first, and more', (stream) => stream.end()],
  ];

  test.each(wrong)('an answer that promises a length and %s is cut', async (_, said, end) => {
    await serve((stream) => {
      stream.respond({ 'content-length': 10 });
      stream.write(said, () => end(stream));
    });
    const caller = await dial(harness.port);
    harness.teardown(() => caller.socket.destroy());
    const asks = `GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`;
    caller.socket.write(asks + asks);
    const text = await caller.closed;
    expect(text.match(/HTTP\/1.1 /g)).toHaveLength(1);
    expect(text).not.toContain('more');
    await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
  });

  test.each([
    ['', [frame(RST_STREAM, 0, 1, Buffer.alloc(4))]],
    [
      ', and more before it,',
      [frame(DATA, 0, 1, Buffer.from('more')), frame(RST_STREAM, 0, 1, Buffer.alloc(4))],
    ],
  ])(
    'an answer without a length that is reset with NO_ERROR%s does not look whole',
    async (_, rest) => {
      const accepted = Promise.withResolvers<Socket>();
      const instance = await harness.startBareInstance((socket) => {
        socket.once('data', () => {
          const head = frame(HEADERS, END_HEADERS, 1, fieldBlock([[':status', '200']]));
          const first = frame(DATA, 0, 1, Buffer.from('first'));
          socket.write(Buffer.concat([frame(SETTINGS, 0, 0), head, first]));
        });
        accepted.resolve(socket);
      });
      const address = { node: 'test', host: '127.0.0.1', port: instance.port, h2c: true } as const;
      const instances = [makeInstance(instance.port, { address })];
      harness.publisher.update({ models: [makeModel()], instances });
      await harness.activator.ready;
      const caller = await dial(harness.port);
      harness.teardown(() => caller.socket.destroy());
      caller.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      await caller.until(/first/);
      (await accepted.promise).write(Buffer.concat(rest));
      expect(await caller.closed).not.toMatch(/0\r\n\r\n$/);
    },
  );

  test('an upgrade, which HTTP/2 does not have, is not asked for: the answer is a plain one', async () => {
    await serve(echo);
    const caller = await dial(harness.port);
    harness.teardown(() => caller.socket.destroy());
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    caller.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n${upgrade}\r\n`);
    const text = await caller.until(/"endedAtOnce"/);
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(text).not.toMatch(/"upgrade"|"connection"/);
  });

  test('a caller that leaves in the middle resets the stream', async () => {
    const begun = Promise.withResolvers<ServerHttp2Stream>();
    await serve((stream) => {
      stream.respond();
      stream.write('some');
      begun.resolve(stream);
    });
    const caller = await dial(harness.port);
    caller.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await caller.until(/some/);
    const stream = await begun.promise;
    caller.socket.destroy();
    await once(stream, 'close');
    expect(stream.aborted).toBe(true);
  });

  test('a server that speaks HTTP/1.1 only is told of as such', async () => {
    const started = await harness.startInstance((_, response) => response.end());
    const address = { node: 'test', host: '127.0.0.1', port: started.port, h2c: true } as const;
    const instance = makeInstance(started.port, { address });
    harness.publisher.update({ models: [makeModel()], instances: [instance] });
    await harness.activator.ready;
    const answer = await call(harness.port, PATH);
    expect(answer.status).toBe(501);
    expect(JSON.parse(answer.body).detail).toBe(
      'digits does not speak HTTP/2, which this request needs.',
    );
  });
});
