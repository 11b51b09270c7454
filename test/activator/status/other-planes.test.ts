import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Activator, createActivator } from '#activator/activator.ts';
import { LINGER_MS } from '#activator/plane.ts';
import type { Status } from '#activator/status/status.ts';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { createStreamClient, createStreamHost } from '#bus/stream.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { socketFolder } from '#test/bus/stream-bus.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import {
  call,
  dial,
  LIMITS,
  makeInstance,
  makeModel,
  makeRevision,
  startInstance,
} from '../harness.ts';

const PATH = '/models/default/digits/';
const STATUS = '/status/models/default/digits';

const still = createFakeClock();
let publisher: Publisher;
let planes: Activator[];
let instance: Awaited<ReturnType<typeof startInstance>>;
const closers: (() => Promise<unknown>)[] = [];

async function startPlane(path: string, dataPlane: string, clock: Clock): Promise<Activator> {
  const client = createStreamClient({ connect: { path }, clock: systemClock, random: () => 0 });
  return await createActivator({
    host: '127.0.0.1',
    port: 0,
    domain: 'localhost',
    client,
    dataPlane,
    hasOthers: true,
    limits: LIMITS,
    clock,
    version: '0.0.0',
    roll: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    // The test is a proxy for several callers.
    entry: { tls: [], trustedProxies: ['127.0.0.1'], proxyProtocol: false },
    log: silentLog,
  });
}

/**
 * Two data planes of one control, which is the test. It waits for both however long they take, and for the first no
 * time passes: what becomes of a request there is known for as long as somebody may ask.
 */
beforeEach(async () => {
  const { folder, remove } = await socketFolder();
  const path = join(folder, 'bus');
  const host = await createStreamHost({ listen: { path }, clock: systemClock });
  publisher = createPublisher({ host, epoch: 'test', clock: createFakeClock() });
  publisher.update({
    models: [makeModel({ revisions: [makeRevision({ concurrency: 1, coldStartSeconds: 3 })] })],
  });
  planes = await Promise.all([
    startPlane(path, 'one', still),
    startPlane(path, 'two', systemClock),
  ]);
  await Promise.all(planes.map(({ ready }) => ready));
  instance = await startInstance((_, response) => response.end('model'));
  closers.push(() => instance.close());
  closers.push(async () => {
    const closed = Promise.all(planes.map((plane) => plane.close(0)));
    still.advance(LINGER_MS + 1000);
    await closed;
    await publisher.close();
    await remove();
  });
});

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function askOnce(at: number, query = '', headers = {}): Promise<Status> {
  const { body } = await call(planes[at]!.port, STATUS + query, { headers });
  return JSON.parse(body) as Status;
}

/** What is told of all data planes. One that is not told of the other in half a second does without, and says so. */
async function ask(at: number, query = '', headers = {}): Promise<Status> {
  const status = await askOnce(at, query, headers);
  return status.partial ? await ask(at, query, headers) : status;
}

/** Held at that data plane until there is an instance. */
async function hold(
  at: number,
  name: string,
  caller: Record<string, string> = {},
): Promise<{ answer: ReturnType<typeof call> }> {
  const headers = { ...caller, 'rouse-request-id': name };
  const answer = call(planes[at]!.port, PATH, { headers });
  while ((await ask(at, `?request=${name}`, caller)).request?.state !== 'waiting');
  return { answer };
}

function wake(): void {
  publisher.update({ instances: [makeInstance(instance.port, { leased: true })] });
  for (const dataPlane of ['one', 'two']) {
    publisher.lease(dataPlane, [{ instance: `instance-${instance.port}`, slots: 1, sequence: 1 }]);
  }
}

test('whichever data plane is asked, it tells what waits at all of them, and finds a request at any', async () => {
  const held = [await hold(0, 'a'), await hold(0, 'b'), await hold(0, 'c'), await hold(1, 'd')];
  for (const at of [0, 1]) {
    expect(await ask(at)).toMatchObject({ state: 'starting', waiting: 4, inFlight: 0 });
    expect((await ask(at, '?request=a')).request).toMatchObject({ state: 'waiting', position: 1 });
    expect((await ask(at, '?request=d')).request).toMatchObject({ state: 'waiting', position: 1 });
    // Two of its own data plane go before it, and meanwhile the one of the other.
    expect((await ask(at, '?request=c')).request).toMatchObject({ state: 'waiting', position: 4 });
    expect((await ask(at, '?request=e')).request).toEqual({ id: 'e', state: 'unknown' });
  }
  wake();
  for (const { answer } of held) expect((await answer).status).toBe(200);
  expect(await ask(1)).toMatchObject({ state: 'awake', waiting: 0 });
});

test('a name is of its caller alone, at all of them', async () => {
  const [one, other] = ['192.0.2.1', '192.0.2.2'].map((id) => ({ 'x-forwarded-for': id }));
  const held = [await hold(0, 'mine', one)];
  const unknown = { id: 'mine', state: 'unknown' };
  for (const at of [0, 1]) expect((await ask(at, '?request=mine', other)).request).toEqual(unknown);
  held.push(await hold(1, 'other', other), await hold(1, 'mine', other));
  for (const at of [0, 1]) {
    expect((await ask(at, '?request=mine', one)).request).toMatchObject({ position: 1 });
    expect((await ask(at, '?request=mine', other)).request).toMatchObject({ position: 3 });
  }
  wake();
  for (const { answer } of held) expect((await answer).status).toBe(200);
});

test('who follows a request at another data plane is told its end', async () => {
  const { answer } = await hold(0, 'mine');
  const client = await dial(planes[1]!.port);
  client.socket.write(
    `GET ${STATUS}?request=mine HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept: text/event-stream\r\n\r\n`,
  );
  await client.until(/"position":1/);
  wake();
  expect((await answer).status).toBe(200);
  const text = await client.closed;
  client.socket.destroy();
  expect(text.match(/event: end\ndata: (.*)/)?.[1]).toContain(
    '"request":{"id":"mine","state":"granted"}',
  );
});

test('a data plane that is alone with what it knows says so', async () => {
  await publisher.close();
  let status = await askOnce(1);
  while (!status.partial) status = await askOnce(1);
  expect(status).toMatchObject({ state: 'asleep', waiting: 0, partial: true });
});

test('who asks and leaves, or asks again on the connection, is no trouble', async () => {
  for (let i = 0; i < 20; i += 1) {
    const leaver = await dial(planes[0]!.port);
    leaver.socket.write(`GET ${STATUS} HTTP/1.1\r\nHost: h\r\n\r\n`);
    leaver.socket.destroy();
  }
  const client = await dial(planes[0]!.port);
  client.socket.write(`GET ${STATUS} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(3));
  await client.until(/(?:HTTP\/1\.1 200 OK[^]*){3}/);
  client.socket.destroy();
  expect(await ask(0)).toMatchObject({ waiting: 0 });
});
