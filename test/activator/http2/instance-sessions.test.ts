import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  createServer,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InstanceSession } from '#activator/upstream/instance-session.ts';
import { MAX_SESSIONS } from '#activator/upstream/instance-sessions.ts';
import { makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { answerOf, ask, openSession } from './client.ts';

/** gRPC by hand on both sides: grpc-js shows neither resets nor sessions, and calls an answer without a status one. */

const harness = useHarness();
let session: ClientHttp2Session;

beforeEach(async () => {
  session = await openSession(harness.port);
});

afterEach(() => {
  session.destroy();
});

/** An instance that speaks HTTP/2; resolves to its sessions, which grow. */
async function serve(
  onStream: (stream: ServerHttp2Stream) => void,
  settings: Settings = {},
): Promise<readonly ServerHttp2Session[]> {
  const sessions: ServerHttp2Session[] = [];
  const server = createServer({ settings });
  server.on('session', (each) => sessions.push(each));
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.resume();
    onStream(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  harness.teardown(async () => {
    for (const each of sessions) each.destroy();
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  const model = makeModel({ revisions: [makeRevision({ concurrency: 0 })] });
  await harness.publish(model, port);
  return sessions;
}

const CALL: OutgoingHttpHeaders = {
  ':path': '/test.Echo/Download',
  ':method': 'POST',
  'content-type': 'application/grpc',
  'rouse-model': 'digits',
  te: 'trailers',
};
const HEAD = { ':status': 200, 'content-type': 'application/grpc' };
/** A message without content. */
const MESSAGE = Buffer.alloc(5);

/** A call whose request has ended. */
function begin(on = session): ClientHttp2Stream {
  const stream = on.request(CALL);
  stream.end(MESSAGE);
  return stream;
}

function finish(stream: ServerHttp2Stream): void {
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(MESSAGE);
}

const breaks: [string, (stream: ServerHttp2Stream) => void][] = [
  ['reset with CANCEL', (stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ['reset with INTERNAL_ERROR', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ['cut off with its connection', (stream) => stream.session?.socket.destroy()],
];

test.each(breaks)(
  'an answer that is %s in the middle is a reset for its caller',
  async (_, cut) => {
    const begun = Promise.withResolvers<ServerHttp2Stream>();
    await serve((stream) => {
      stream.respond(HEAD, { waitForTrailers: true });
      stream.write(MESSAGE);
      begun.resolve(stream);
    });
    const stream = begin();
    const answered = answerOf(stream);
    await once(stream, 'data');
    cut(await begun.promise);
    expect(await answered).toMatchObject({
      status: 200,
      trailers: {},
      reset: constants.NGHTTP2_INTERNAL_ERROR,
    });
  },
);

test('an answer of trailers only has no length among them', async () => {
  await serve((stream) => stream.respond({ ...HEAD, 'grpc-status': '5' }, { endStream: true }));
  const { headers } = await answerOf(begin());
  expect(headers).toMatchObject({ 'grpc-status': '5' });
  expect(headers).not.toHaveProperty('content-length');
});

/** More than the window of the caller, no more than that and the one of the instance. */
const LARGE = Buffer.alloc(120_000, 'x');

test.each([
  ['with trailers', { 'grpc-status': '0' }],
  ['without', {}],
])('a whole answer, %s, passes whole to a caller that reads it late', async (_, trailers) => {
  const over = Promise.withResolvers<void>();
  await serve((stream) => {
    stream.respond(HEAD, { waitForTrailers: 'grpc-status' in trailers });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.once('close', () => over.resolve());
    stream.end(LARGE);
  });
  const stream = begin();
  const answered = answerOf(stream);
  await once(stream, 'response');
  stream.pause();
  await over.promise;
  stream.resume();
  const { body, ...rest } = await answered;
  expect(rest).toMatchObject({ trailers, reset: 0 });
  expect(body.length).toBe(LARGE.length);
});

test('an answer that comes before the request has ended is whole although the instance resets the stream', async () => {
  await serve((stream) => {
    stream.respond(HEAD, { waitForTrailers: true });
    stream.once('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '5' });
      // The trailers leave first.
      setImmediate(() => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
    });
    stream.end(MESSAGE);
  });
  const stream = session.request(CALL);
  stream.write(MESSAGE);
  expect(await answerOf(stream)).toMatchObject({ trailers: { 'grpc-status': '5' }, reset: 0 });
});

test('an answer that is longer than it says does not end the session that others use', async () => {
  const waiting: ServerHttp2Stream[] = [];
  const sessions = await serve((stream) => {
    const isFirst = waiting.length === 0;
    stream.respond(isFirst ? HEAD : { ...HEAD, 'content-length': 3 }, { waitForTrailers: isFirst });
    if (isFirst) waiting.push(stream);
    else stream.end(MESSAGE);
  });
  const answered = answerOf(begin());
  await expect.poll(() => waiting.length).toBe(1);
  for (let i = 0; i < 3; i += 1) {
    expect((await answerOf(begin())).reset).not.toBe(0);
  }
  for (const stream of waiting) finish(stream);
  expect(await answered).toMatchObject({ trailers: { 'grpc-status': '0' }, reset: 0 });
  expect(sessions.length).toBe(1);
});

test('informational heads without end are a refusal, not passed on without end', async () => {
  await serve((stream) => {
    for (let i = 0; i < 100 && !stream.closed; i += 1) stream.additionalHeaders({ ':status': 103 });
    if (!stream.closed) stream.respond(HEAD);
    stream.end();
  });
  const stream = begin();
  let informational = 0;
  stream.on('headers', () => (informational += 1));
  const { headers } = await answerOf(stream);
  expect(headers['grpc-status']).toBe('14');
  expect(informational).toBeLessThan(20);
});

test('when all sessions are as full as the instance allows, more calls share them, and all are served', async () => {
  const held: ServerHttp2Stream[] = [];
  let isHolding = true;
  const sessions = await serve(
    (stream) => {
      stream.respond(HEAD, { waitForTrailers: true });
      if (isHolding) held.push(stream);
      else finish(stream);
    },
    { maxConcurrentStreams: 1 },
  );
  const answers: ReturnType<typeof answerOf>[] = [];
  for (let i = 0; i < MAX_SESSIONS; i += 1) {
    const stream = begin();
    answers.push(answerOf(stream));
    // With its head the settings of its session have come, too.
    await once(stream, 'response');
  }
  expect(sessions.length).toBe(MAX_SESSIONS);
  isHolding = false;
  const waiting = Array.from({ length: 2 * MAX_SESSIONS }, () => begin());
  const givenUp = begin();
  givenUp.on('error', () => {});
  answers.push(...waiting.map(answerOf));
  // Answered after the calls before it have been read.
  await ask(session, { ':path': '/v2/health/live' });
  givenUp.close(constants.NGHTTP2_CANCEL);
  for (const stream of held) finish(stream);
  const all = await Promise.all(answers);
  expect(sessions.length).toBe(MAX_SESSIONS);
  for (const { trailers } of all) expect(trailers['grpc-status']).toBe('0');
});

test('calls that are given up do not have the instance end the session that others use', async () => {
  const waiting: ServerHttp2Stream[] = [];
  const begun: (() => void)[] = [];
  // It guards itself as every server of node:http2 does: after 1000 resets it ends a session.
  const sessions = await serve((stream) => {
    stream.respond(HEAD, { waitForTrailers: true });
    if (waiting.length === 0) waiting.push(stream);
    else begun.shift()?.();
  });
  const answered = answerOf(begin());
  await expect.poll(() => waiting.length).toBe(1);
  for (let given = 0; given < 1300; given += 50) {
    const other = await openSession(harness.port);
    const calls = Array.from({ length: 50 }, async () => {
      const stream = begin(other);
      stream.on('error', () => {});
      const closed = once(stream, 'close');
      await Promise.race([closed, new Promise<void>((resolve) => begun.push(resolve))]);
      stream.close(constants.NGHTTP2_CANCEL);
      await closed;
    });
    await Promise.all(calls);
    other.destroy();
  }
  for (const stream of waiting) finish(stream);
  expect(await answered).toMatchObject({ trailers: { 'grpc-status': '0' } });
  expect(sessions.length).toBeLessThan(10);
});

test('calls that are answered share a session for as long as it lives: none of them is reset', async () => {
  // It would end a session after 1000 resets.
  const sessions = await serve((stream) => {
    stream.respond(HEAD, { waitForTrailers: true });
    finish(stream);
  });
  for (let asked = 0; asked < 1300; asked += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => answerOf(begin())));
    for (const { trailers } of answers) expect(trailers['grpc-status']).toBe('0');
  }
  expect(sessions.length).toBe(1);
});

test('a session that is closed before it is there tells those who wait for it, once', async () => {
  const left = Promise.withResolvers<void>();
  const { port } = await harness.startBareInstance((socket) => {
    socket.resume();
    socket.once('close', () => left.resolve());
  });
  const opening = new InstanceSession({ node: 'test', host: '127.0.0.1', port }, () => 0);
  const told: string[] = [];
  opening.whenConnected({
    onConnected: () => told.push('connected'),
    onUnreached: () => told.push('unreached'),
  });
  opening.close();
  await left.promise;
  await expect.poll(() => told).toEqual(['unreached']);
  expect(opening.connected).toBe(false);
});
