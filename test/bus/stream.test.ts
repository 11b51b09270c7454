import { stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Link } from '#bus/bus.ts';
import { encodeFrame, FRAME_LIMIT } from '#bus/frames.ts';
import type { Downward, Upward } from '#bus/messages.ts';
import { createPublisher } from '#bus/publisher.ts';
import { createSubscriber } from '#bus/subscriber.ts';
import { createStreamClient, createStreamHost, type StreamAddress } from '#bus/stream.ts';
import { HEARTBEAT_MS } from '#bus/stream-link.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';
import { testBus } from './conformance.ts';
import { createMirror, modelOf } from './routing.ts';
import { createStreamBus, portOf, socketFolder } from './stream-bus.ts';

testBus('stream over a Unix socket', async () => {
  const { folder, remove } = await socketFolder();
  return await createStreamBus({ path: join(folder, 'bus.sock') }, remove);
});

testBus('stream over TCP', () =>
  createStreamBus({ host: '127.0.0.1', port: 0 }, () => Promise.resolve()),
);

const wake: Upward = { type: 'wake', revision: 'a', queued: 1 };

async function socketPath(): Promise<string> {
  const { folder, remove } = await socketFolder();
  onTestFinished(remove);
  return join(folder, 'bus.sock');
}

async function hostOn(listen: StreamAddress, clock = systemClock) {
  const host = await createStreamHost({ listen, clock });
  onTestFinished(() => host.close());
  const links: Link<Downward, Upward>[] = [];
  host.onLink((link) => void links.push(link));
  return { host, links, address: host.address };
}

async function rawSocket(address: StreamAddress): Promise<Socket> {
  const socket = connect({ ...address });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('host', () => {
  test('only the owner may open the Unix socket', async () => {
    const path = await socketPath();
    await hostOn({ path });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a huge length', Buffer.from([255, 255, 255, 255])],
    ['no JSON', Buffer.from([0, 0, 0, 1, 123])],
  ])('garbage closes its own link only: %s', async (_, bytes) => {
    const { links, address } = await hostOn({ path: await socketPath() });
    const good = await rawSocket(address);
    await until('1 link', () => links.length === 1);
    const bad = await rawSocket(address);
    await until('2 links', () => links.length === 2);
    const got: Upward[] = [];
    for (const link of links) link.onMessage((message) => void got.push(message));
    bad.resume().write(Buffer.concat([encodeFrame(wake), bytes]));
    await once(bad, 'close');
    expect(got).toEqual([wake]);
    good.write(encodeFrame(wake));
    await until('2 messages', () => got.length === 2);
  });

  test('a peer that is silent is noticed; one that gives signs of life is not', async () => {
    const clock = createFakeClock();
    const { links, address } = await hostOn({ path: await socketPath() }, clock);
    const silent = await rawSocket(address);
    await until('1 link', () => links.length === 1);
    const client = createStreamClient({ connect: address, clock, random: () => 0 });
    onTestFinished(() => client.close());
    client.onLink((link) => link.onMessage(() => {}));
    await until('2 links', () => links.length === 2);
    const closed = [false, false];
    for (const [index, link] of links.entries()) {
      link.onMessage(() => {});
      link.onClose(() => (closed[index] = true));
    }
    const signs: number[] = [];
    silent.on('data', (chunk: Buffer) => signs.push(chunk.length));
    for (let beat = 1; !closed[0] && beat < 10; beat++) {
      clock.advance(HEARTBEAT_MS);
      await until(
        'a sign of life for each beat',
        () => silent.destroyed || signs.reduce((sum, size) => sum + size, 0) >= 4 * beat,
      );
    }
    await until('the silent link is closed', () => closed[0] === true);
    expect(signs.reduce((sum, size) => sum + size, 0)).toBe(12);
    expect(closed).toEqual([true, false]);
  });

  test('a socket file that a killed process left is replaced', async () => {
    const path = await socketPath();
    const child = fork(join(import.meta.dirname, 'listen-child.ts'), [path]);
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await stat(path)).isSocket()).toBe(true);
    const { links, address } = await hostOn({ path });
    await rawSocket(address);
    await until('1 link', () => links.length === 1);
  });

  test('a socket in use, a port in use and a file in the way are refused by name', async () => {
    const path = await socketPath();
    await hostOn({ path });
    const { address } = await hostOn({ host: '127.0.0.1', port: 0 });
    const file = `${path}.txt`;
    await writeFile(file, 'precious');
    for (const listen of [{ path }, address, { path: file }, { path: `${path}/x/y` }]) {
      const where = 'path' in listen ? listen.path : `127.0.0.1:${listen.port}`;
      await expect(createStreamHost({ listen, clock: systemClock })).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(where),
      });
    }
    expect((await stat(file)).size).toBe(8);
  });
});

/** Where nobody listens. */
async function nobody(): Promise<StreamAddress> {
  return { host: '127.0.0.1', port: await reservePort() };
}

/** Notes how long each attempt waits; an attempt is made when the test says so. Nothing else runs. */
function createRetryClock() {
  const waits: number[] = [];
  let run: () => void = () => {};
  const clock: Clock = {
    now: () => 0,
    after(ms, timer) {
      if (ms !== HEARTBEAT_MS) {
        waits.push(ms);
        run = timer;
      }
      return { cancel: () => {} };
    },
  };
  return { clock, waits, retry: () => run() };
}

describe('client', () => {
  test.each([
    ['five seconds', nobody, [25, 75, 190, 200, 600, 1520, 1600, 3750, 4750]],
    [
      'a tenth of one on the same machine',
      async () => ({ path: await socketPath() }),
      [25, 75, 95, 50, 75, 95, 50, 75, 95],
    ],
  ])('the time between attempts doubles up to %s, and is spread', async (_, nobodyAt, wanted) => {
    const { clock, waits, retry } = createRetryClock();
    const rolls = [0, 0.5, 0.9];
    const client = createStreamClient({
      connect: await nobodyAt(),
      clock,
      random: () => rolls[waits.length % rolls.length] ?? 0,
    });
    onTestFinished(() => client.close());
    for (let attempt = 1; attempt <= 9; attempt++) {
      await until('one more wait', () => waits.length === attempt);
      retry();
    }
    expect(waits.slice(0, 9)).toEqual(wanted);
  });

  test('a client that was there before its host finds it', async () => {
    const path = await socketPath();
    const client = createStreamClient({ connect: { path }, clock: systemClock, random: () => 0 });
    onTestFinished(() => client.close());
    const linked = new Promise<void>((resolve) => client.onLink(() => resolve()));
    const { host } = await hostOn({ path });
    host.onLink((link) => link.onMessage(() => {}));
    await linked;
  });

  test('a new control replaces the state only once it has one; the last good state holds until then', async () => {
    const path = await socketPath();
    async function control(epoch: string) {
      const host = await createStreamHost({ listen: { path }, clock: systemClock });
      return createPublisher({ host, epoch, clock: systemClock });
    }
    const first = await control('one');
    first.update({ models: [modelOf('a'), modelOf('b')] });
    const client = createStreamClient({ connect: { path }, clock: systemClock, random: () => 0 });
    onTestFinished(() => client.close());
    const mirror = createMirror();
    const subscriber = createSubscriber({ client, dataPlane: 'dp', onState: mirror.onState });
    subscriber.onLink(() => subscriber.send({ type: 'drained', instance: 'i' }));
    await until('1 change', () => mirror.changes.length === 1);
    await first.close();
    const second = await control('two');
    onTestFinished(() => second.close());
    await new Promise<void>((resolve) => second.onUpward(() => resolve()));
    expect([...mirror.models.keys()]).toEqual(['default/a', 'default/b']);
    second.update({ models: [modelOf('b', 7)] });
    await until('2 changes', () => mirror.changes.length === 2);
    expect(mirror.changes[1]?.full).toBe(true);
    expect([...mirror.models]).toEqual([['default/b', 7]]);
  });

  test('a state that is larger than a frame arrives', async () => {
    const path = await socketPath();
    const host = await createStreamHost({ listen: { path }, clock: systemClock });
    const publisher = createPublisher({ host, epoch: 'one', clock: systemClock });
    onTestFinished(() => publisher.close());
    const count = 3600;
    const text = 'x'.repeat(20_000);
    expect(count * text.length).toBeGreaterThan(FRAME_LIMIT);
    publisher.update({
      models: Array.from({ length: count }, (_, at) => modelOf(`m${at}`, 1, text)),
    });
    const client = createStreamClient({ connect: { path }, clock: systemClock, random: () => 0 });
    onTestFinished(() => client.close());
    const mirror = createMirror();
    createSubscriber({ client, dataPlane: 'dp', onState: mirror.onState });
    await until('1 change', () => mirror.changes.length === 1);
    expect(mirror.models.size).toBe(count);
  });

  test('close ends the attempts', async () => {
    const path = await socketPath();
    const clock = createFakeClock();
    const client = createStreamClient({ connect: { path }, clock, random: () => 0 });
    await until('a heartbeat is planned', () => clock.pending === 1);
    await client.close();
    await client.close();
    expect(clock.pending).toBe(0);
  });

  test('a host that hangs up on everybody is not hammered', async () => {
    const server = createServer((socket) => void socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { clock, waits, retry } = createRetryClock();
    const connectTo = { host: '127.0.0.1', port: portOf(server) };
    const client = createStreamClient({ connect: connectTo, clock, random: () => 1 });
    onTestFinished(() => client.close());
    let links = 0;
    client.onLink((link) => {
      links++;
      link.onMessage(() => {});
    });
    for (let attempt = 1; attempt <= 5; attempt++) {
      await until('one more wait', () => waits.length === attempt);
      expect(links).toBe(attempt);
      retry();
    }
    expect(waits.slice(0, 5)).toEqual([50, 100, 200, 400, 800]);
  });
});
