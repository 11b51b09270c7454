import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** One gets bytes of a caller that has most, whose next request gets them back. */

const PATH = '/models/default/digits/';
const GREEDY = '127.0.0.1';
const MODEST = '127.0.0.2';
const harness = useHarness();

/** A caller is an address: all of 127.0.0.0/8 is this machine. */
async function comeFrom(localAddress: string): Promise<Socket> {
  const socket = connect({ port: harness.port, host: '127.0.0.1', localAddress });
  harness.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket.setEncoding('latin1');
}

const makeRequest = (bytes: number, fields = ''): string =>
  `POST ${PATH} HTTP/1.1\r\nHost: h\r\n${fields}Content-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`;

/** What its caller is told of a request with this name. */
async function follow(name: string): Promise<() => string> {
  const follower = await comeFrom(MODEST);
  let told = '';
  follower.on('data', (text: string) => (told += text));
  follower.write(
    `GET /status/models/default/digits?request=${name} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await until('it is followed', () => told.includes('event: status'));
  return () => told;
}

async function untilHeld(bytes: number): Promise<void> {
  await until(`${bytes} bytes wait`, async () => {
    return (await harness.gauge('rouse_queue_bytes')) === bytes;
  });
}

test('who takes a place and loses it to the one that had it is refused, is told of as refused, and holds nothing', async () => {
  await harness.publish(makeModel({ queue: { requests: 100, bytes: 10_000 } }));
  const first = await comeFrom(GREEDY);
  first.write(makeRequest(1000));
  await untilHeld(1000);
  const pipelining = await comeFrom(GREEDY);
  pipelining.write(makeRequest(9000) + makeRequest(3500));
  await untilHeld(10_000);
  const told = await follow('mine');
  const modest = await comeFrom(MODEST);
  modest.write(makeRequest(6000, 'Rouse-Request-Id: mine\r\n'));
  const [answer] = (await once(modest, 'data')) as [string];
  expect(answer).toMatch(/^HTTP\/1\.1 429 /);
  const [displaced] = (await once(pipelining, 'data')) as [string];
  expect(displaced).toMatch(/^HTTP\/1\.1 429 /);
  await until('the status ends', () => told().includes('event: end'));
  expect(told()).toContain('"request":{"id":"mine","state":"refused"}');
  await untilHeld(4500);
  expect(await harness.gauge('rouse_held_bytes')).toBe(4500);
  modest.write(makeRequest(500));
  await untilHeld(5000);
  expect(await harness.gauge('rouse_held_bytes')).toBe(5000);
});
