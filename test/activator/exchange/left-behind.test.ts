import { once } from 'node:events';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeModel } from '../harness.ts';
import { ask, openSession } from '../http2/client.ts';
import { useHarness } from '../use-harness.ts';

/** Callers that leave while they wait with a large body: what they held is free for others soon. */

const harness = useHarness();

const CALLERS = 32;
const HELD = 64 * 1024;
const PATH = '/models/default/digits/x';

async function gauge(name: string): Promise<number> {
  return Math.max(0, await harness.gauge(name));
}

/** `length`: what it says that its body has; it sends as much as is held. Gives what makes it leave. */
type Come = (length: number) => Promise<() => void>;

const HTTP1: Come = async (length) => {
  const socket = connect(harness.port, '127.0.0.1');
  harness.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`);
  socket.write(Buffer.alloc(HELD));
  // An orderly end behind a body of which not all is read can't be seen, and here there is no room to read on.
  return () => (length > HELD ? socket.resetAndDestroy() : socket.destroy());
};

async function comeBy2(length: number): Promise<ClientHttp2Stream> {
  const session = await openSession(harness.port);
  harness.teardown(() => session.destroy());
  const headers = { ':path': PATH, ':method': 'POST', 'content-length': length };
  const stream = session.request(headers, { endStream: false });
  stream.on('error', () => {});
  if (length > HELD) stream.write(Buffer.alloc(HELD));
  else stream.end(Buffer.alloc(HELD));
  return stream;
}

const HTTP2: Come = async (length) => {
  const stream = await comeBy2(length);
  return () => stream.close(constants.NGHTTP2_CANCEL);
};

const HTTP2_WHOLLY: Come = async (length) => {
  const stream = await comeBy2(length);
  return () => stream.session?.destroy();
};

describe.each([
  ['HTTP/1.1', HTTP1],
  ['streams of HTTP/2', HTTP2],
  ['connections of HTTP/2', HTTP2_WHOLLY],
])('over %s', (_, come) => {
  test.each([
    ['whole', HELD],
    ['half', 4 * HELD],
  ])('with a %s body', async (__, length) => {
    await harness.publish(makeModel({ queue: { requests: CALLERS, bytes: CALLERS * HELD } }));
    const leaves = await Promise.all(Array.from({ length: CALLERS }, () => come(length)));
    await until('all wait', async () => (await gauge('rouse_queue_bytes')) === CALLERS * HELD);
    expect(await gauge('rouse_queue_depth')).toBe(CALLERS);
    for (const leave of leaves) leave();
    await until('none waits', async () => (await gauge('rouse_queue_depth')) === 0);
    expect(await gauge('rouse_queue_bytes')).toBe(0);
    expect(await gauge('rouse_held_bytes')).toBe(0);
    const session = await openSession(harness.port);
    harness.teardown(() => session.destroy());
    const newcomer = ask(session, { ':path': PATH, ':method': 'POST' }, Buffer.alloc(HELD));
    await until('the newcomer waits', async () => (await gauge('rouse_queue_bytes')) === HELD);
    session.destroy();
    await newcomer;
  });
});

/**
 * A caller who sends so much of a body that is never whole, and then ends its side. `hungUp`: it is hung up on, which
 * may be before others have come.
 */
async function comeAndEnd(bytes: number): Promise<{ hungUp: Promise<unknown> }> {
  const socket = connect({ port: harness.port, host: '127.0.0.1', allowHalfOpen: true });
  harness.teardown(() => socket.destroy());
  socket.on('error', () => {});
  const hungUp = new Promise((resolve) => socket.resume().once('end', resolve));
  await once(socket, 'connect');
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: ${2 * bytes}\r\n\r\n`);
  socket.end(Buffer.alloc(bytes));
  return { hungUp };
}

async function leavers(): Promise<number> {
  const rows = (await harness.scrape()).matchAll(
    /^rouse_requests_total\{.*code="499".*\} (\d+)$/gm,
  );
  return [...rows].reduce((sum, [, count]) => sum + Number(count), 0);
}

test('who ends its side behind half a body is hung up on where there is room to read on, and counts as gone', async () => {
  const sizes = [HELD - 1, HELD, 3 * HELD, 8 * HELD, 80 * HELD];
  // Of a quarter of it none may have more than is left to others.
  const bytes = 4 * (sizes.reduce((sum, size) => sum + size) + Math.max(...sizes));
  await harness.publish(makeModel({ queue: { requests: CALLERS, bytes } }));
  const callers = await Promise.all(sizes.map(comeAndEnd));
  await Promise.all(callers.map(({ hungUp }) => hungUp));
  expect(await gauge('rouse_queue_depth')).toBe(0);
  expect(await gauge('rouse_held_bytes')).toBe(0);
  expect(await leavers()).toBe(sizes.length);
});

test('where there is no room, no more is held, and it is hung up on once there is', async () => {
  const queue = { requests: CALLERS, bytes: 4 * HELD };
  await harness.publish(makeModel({ queue }));
  const { hungUp } = await comeAndEnd(8 * HELD);
  await until('it waits', async () => (await gauge('rouse_queue_bytes')) >= HELD);
  const held = await gauge('rouse_queue_bytes');
  // In each sweep it is asked again whether it may be read on, and reports come less often.
  const reports = (): number => harness.reports.filter(({ type }) => type === 'load').length;
  const before = reports();
  await until('two more reports', () => reports() >= before + 2);
  expect(await gauge('rouse_queue_bytes')).toBe(held);
  await harness.publish(makeModel({ queue: { ...queue, bytes: 128 * HELD } }));
  await hungUp;
  expect(await leavers()).toBe(1);
});
