import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { queryObjects } from 'node:v8';
import { expect, test } from 'vitest';
import { Exchange } from '#activator/exchange/exchange.ts';
import {
  BODY_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  ROUTED_BODY_TIMEOUT_MS,
} from '#activator/plane.ts';
import type { FakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import {
  call,
  dial,
  type Harness,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
  startInstance,
  startStill,
} from '../harness.ts';
import { type RecordingInstance, startRecordingInstance } from '../recording-instance.ts';
import { untilStill } from '../until-still.ts';

/** Callers that are slow, silent or greedy: each pays for itself only. */

const P = '/models/default/digits';
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n';
const teardown = useTeardown();
/** MiB of a body: more than the buffers of all sockets on its way take. */
const PIECES = 48;

interface World {
  readonly harness: Harness;
  readonly clock: FakeClock;
  readonly instance: RecordingInstance;
}

async function startWorld(): Promise<World> {
  const harness = await startStill();
  const instance = await startRecordingInstance();
  teardown(() => instance.close());
  teardown(() => harness.close());
  const timeouts = { hold: 600_000, run: 600_000, idle: 0, drain: 0 };
  const revisions = [makeRevision({ timeouts })];
  harness.publisher.update({
    models: [makeModel({ revisions }), makeModel({ name: 'asleep', revisions })],
    instances: [makeInstance(instance.port)],
  });
  await harness.activator.ready;
  return { harness, clock: harness.clock, instance };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass, a second at a time, until `done`; what is on its way arrives in between. */
async function passUntil(clock: FakeClock, seconds: number, done: () => boolean): Promise<number> {
  for (let passed = 0; passed < seconds; passed += 1) {
    if (done()) return passed;
    clock.advance(1000);
    await turn();
  }
  return seconds;
}

test('slowloris: a head that comes byte by byte ends with 408 when its time is over', async () => {
  const { harness, clock } = await startWorld();
  const client = await dial(harness.port);
  const head = `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(1000)}`;
  client.socket.write(`${HEALTH}${head[0]}`);
  await client.until(/ok/);
  for (let i = 1; i < 60 && !client.text().includes('408'); i += 1) {
    client.socket.write(head[i]!);
    clock.advance(HEAD_TIMEOUT_MS / 5);
    await turn();
    expect(i).toBeLessThan(50);
  }
  expect(await client.closed).toMatch(/HTTP\/1\.1 408 [^]*Connection: close[^]*request_timeout/);
});

test('a bare LF is refused as soon as it comes, and one on the border of two reads after its CR is none', async () => {
  const { harness } = await startWorld();
  const client = await dial(harness.port);
  client.socket.setNoDelay(true);
  for (const byte of '\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n') {
    client.socket.write(byte);
    await turn();
  }
  await client.until(/ok\n/);
  for (const byte of `GET ${P}/ HTTP/1.1\r\nHost: a\n`) {
    client.socket.write(byte);
    await turn();
  }
  const text = await client.closed;
  expect(text.match(/HTTP\/1\.1 \d{3} /g)).toEqual(['HTTP/1.1 200 ', 'HTTP/1.1 400 ']);
  expect(text).toContain('bare LF');
});

test('slowloris: a body that does not come ends with 408, and the instance is left', async () => {
  const { harness, clock, instance } = await startWorld();
  const client = await dial(harness.port);
  client.socket.write(`POST ${P}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\na`);
  await until('the instance has a part of the request', () => instance.leftovers().length === 1);
  clock.advance(BODY_TIMEOUT_MS + 1000);
  expect(await client.closed).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close[^]*request_timeout/);
  expect(instance.requests).toEqual([]);
});

test('slowloris: a body that comes byte by byte, to find its model, has its time as a whole', async () => {
  const { harness, clock } = await startWorld();
  const client = await dial(harness.port);
  const held = (): Promise<number> => harness.gauge('rouse_held_bytes');
  client.socket.write('POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n');
  for (let i = 1; i <= 3; i += 1) {
    client.socket.write(' ');
    await until('it is held', async () => (await held()) === i);
    expect(client.text()).toBe('');
    clock.advance(ROUTED_BODY_TIMEOUT_MS / 3);
  }
  clock.advance(1000);
  expect(await client.closed).toMatch(/^HTTP\/1\.1 408 [^]*request_timeout/);
  expect(await held()).toBe(0);
});

test('an upload that waits for its instance has time, however long the instance takes', async () => {
  const { harness, clock } = await startWorld();
  const seen = Promise.withResolvers<IncomingMessage>();
  const slow = await startInstance((incoming, response) => {
    incoming.on('end', () => response.end('all of it'));
    seen.resolve(incoming);
  });
  teardown(() => slow.close());
  const at = makeInstance(slow.port, { revision: 'default/asleep/v1' });
  harness.publisher.update({ instances: [at] });
  const client = await dial(harness.port);
  const piece = Buffer.alloc(1024 * 1024);
  client.socket.write(
    `POST /models/default/asleep/ HTTP/1.1\r\nHost: h\r\nContent-Length: ${PIECES * piece.length}\r\n\r\n`,
  );
  let taken = 0;
  for (let n = 0; n < PIECES; n += 1) client.socket.write(piece, () => (taken += 1));
  const incoming = await seen.promise;
  await untilStill(
    () => taken,
    () => call(harness.port, '/healthz'),
  );
  expect(taken).toBeLessThan(PIECES);
  clock.advance(3 * BODY_TIMEOUT_MS);
  incoming.resume();
  expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 /);
  client.socket.destroy();
});

test('a body that is not whole may wait with its request for as long as that is held', async () => {
  const { harness, clock, instance } = await startWorld();
  const client = await dial(harness.port);
  client.socket.write(
    'POST /models/default/asleep/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na',
  );
  await harness.report('wake');
  clock.advance(3 * BODY_TIMEOUT_MS);
  const at = makeInstance(instance.port, { id: 'later', revision: 'default/asleep/v1' });
  harness.publisher.update({ instances: [at] });
  await until(
    'the instance has a part of the request, or the caller was refused',
    () => instance.leftovers().length === 1 || client.text() !== '',
  );
  expect(client.text()).toBe('');
  // From now on the rest is awaited: the caller has its time for it.
  clock.advance(BODY_TIMEOUT_MS - 1000);
  client.socket.write('b');
  expect(await client.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 /);
  expect(instance.requests).toMatchObject([{ content: 'ab' }]);
  client.socket.destroy();
});

test('two seconds after its answer an idle connection keeps nothing of a request', async () => {
  const { harness, clock } = await startWorld();
  const client = await dial(harness.port);
  const request = `POST ${P}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na`;
  client.socket.write(request);
  await client.until(/ok$/);
  clock.advance(1900);
  const kept = (): number => queryObjects(Exchange, { format: 'count' });
  await until('what others left is gone', () => kept() === 1);
  clock.advance(300);
  await until('nothing is kept', () => kept() === 0);
  client.socket.write(request);
  await client.until(/ok[^]*ok$/);
  client.socket.destroy();
});

test('a connection without a request ends in silence when its time is over', async () => {
  const { harness, clock } = await startWorld();
  const client = await dial(harness.port);
  client.socket.write(HEALTH);
  const answered = (await client.until(/ok\n/)).length;
  clock.advance(KEEP_ALIVE_MS - 1000);
  client.socket.write(HEALTH);
  await client.until(/ok\n[^]*ok\n/);
  clock.advance(KEEP_ALIVE_MS + 1000);
  expect(await client.closed).toHaveLength(answered * 2);
});

test('a caller that goes on sending after a refusal is listened to for a while, not for ever', async () => {
  const { harness, clock } = await startWorld();
  const client = await dial(harness.port);
  client.socket.write('\x01');
  await client.until(/400 [^]*bad_request/);
  const gone = new Promise((resolve) => client.socket.once('close', resolve));
  client.socket.on('error', () => {});
  client.socket.write('more');
  await passUntil(clock, 30, () => client.socket.destroyed);
  client.socket.write('and more');
  await gone;
});

test('a caller that closes its sending side has left: nothing is answered, the instance is let go', async () => {
  const left = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  const harness = await startHarness();
  teardown(() => harness.close());
  const instance = await startInstance((incoming) => {
    incoming.socket.on('close', () => left.resolve());
    seen.resolve();
  });
  teardown(() => instance.close());
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  const client = await dial(harness.port);
  client.socket.write(`GET ${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`);
  await seen.promise;
  client.socket.end();
  await left.promise;
  expect(await client.closed).toBe('');
});

test('readers that stand still hold back their own streams only, in bounded memory', async () => {
  const harness = await startHarness();
  teardown(() => harness.close());
  const piece = Buffer.alloc(64 * 1024);
  let written = 0;
  const instance = await startInstance((incoming, response) => {
    if (incoming.url === '/small') {
      response.end('small');
      return;
    }
    const more = (): void => {
      if (response.destroyed) return;
      written += piece.length;
      response.write(piece, more);
    };
    more();
  });
  teardown(() => instance.close());
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  const before = process.memoryUsage().arrayBuffers;
  const readers = await Promise.all(Array.from({ length: 5 }, () => dial(harness.port)));
  for (const { socket } of readers) {
    socket.pause();
    socket.write(`GET ${P}/endless HTTP/1.1\r\nHost: h\r\n\r\n`);
  }
  await untilStill(
    () => written,
    async () =>
      expect(await call(harness.port, `${P}/small`)).toMatchObject({ status: 200, body: 'small' }),
  );
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  for (const { socket } of readers) socket.destroy();
});

test('requests sent ahead without end are not read without end', async () => {
  const { harness } = await startWorld();
  const client = await dial(harness.port);
  client.socket.write('GET /models/default/asleep/ HTTP/1.1\r\nHost: h\r\n\r\n');
  await harness.report('wake');
  const block = Buffer.from(HEALTH.repeat(2000));
  let taken = 0;
  for (let n = 0; n < 1000; n += 1) client.socket.write(block, () => (taken += 1));
  let last = -1;
  while (last !== taken) {
    last = taken;
    for (let i = 0; i < 200; i += 1) await turn();
  }
  // What the two sockets' buffers in the kernel hold, and no more: the rest is still here.
  expect(taken).toBeLessThan(500);
  client.socket.destroy();
});

test('connections beyond the limit are closed at once; one that ends makes room', async () => {
  const harness = await startHarness({ connections: 3 });
  teardown(() => harness.close());
  harness.publisher.update({ models: [makeModel()] });
  await harness.activator.ready;
  const clients = await Promise.all([1, 2, 3].map(() => dial(harness.port)));
  for (const client of clients) {
    client.socket.write(HEALTH);
    await client.until(/ok\n/);
  }
  const beyond = await dial(harness.port);
  expect(await beyond.closed).toBe('');
  clients[0]!.socket.destroy();
  let answered = '';
  while (answered === '') {
    const next = await dial(harness.port);
    next.socket.write(HEALTH.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    answered = await next.closed;
  }
  expect(answered).toMatch(/^HTTP\/1\.1 200 /);
  for (const { socket } of clients) socket.destroy();
});

/** In the process of the data plane alone; the callers are in another one. */
const IDLE = 10_000;

test(`${IDLE} callers that say nothing are all accepted, and others are served (needs 12000 open files)`, async () => {
  const harness = await startHarness();
  teardown(() => harness.close());
  harness.publisher.update({ models: [makeModel()] });
  await harness.activator.ready;
  const callers = fork(join(import.meta.dirname, 'idle-callers-child.ts'), [
    `${harness.port}`,
    `${IDLE}`,
  ]);
  const [message] = (await once(callers, 'message')) as [unknown];
  expect(message).toEqual({ open: IDLE });
  expect(await call(harness.port, '/healthz')).toMatchObject({ status: 200 });
  expect(await harness.gauge('rouse_client_connections')).toBeGreaterThanOrEqual(IDLE);
  const ended = once(callers, 'exit');
  callers.disconnect();
  await ended;
});
