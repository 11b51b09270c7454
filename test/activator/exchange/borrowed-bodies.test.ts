import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { startBareInstance } from '../bare-instance.ts';
import {
  dial,
  type Harness,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
} from '../harness.ts';

const teardown = useTeardown();

async function startPlane(...args: Parameters<typeof startHarness>): Promise<Harness> {
  const harness = await startHarness(...args);
  teardown(() => harness.close());
  return harness;
}

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const instance = await startBareInstance(onConnection);
  teardown(() => instance.close());
  return instance.port;
}

const inFlight = ({ activator }: Harness): boolean =>
  /rouse_requests_in_flight\{[^}]*\} 1/.test(activator.metrics());

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const LENGTH = 12_000;
const post = (number: number): Buffer =>
  Buffer.concat([
    Buffer.from(
      `POST /models/default/digits/${number} HTTP/1.1\r\nHost: x\r\nContent-Length: ${LENGTH}\r\n\r\n`,
    ),
    Buffer.alloc(LENGTH, 65 + (number % 26)),
  ]);

test('a body that waits for a slow instance is not touched by what is read meanwhile', async () => {
  const received = new Map<Socket, Buffer[]>();
  let latest: Socket | undefined;
  const port = await serve((socket) => {
    received.set(socket, []);
    latest = socket;
    socket.on('data', (bytes: Buffer) => received.get(socket)?.push(bytes));
    // It answers without reading, until all that the system keeps for it is full.
    socket.pause();
  });
  const harness = await startPlane();
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(port)] });
  await harness.activator.ready;
  const caller = await dial(harness.port);
  const other = await dial(harness.port);
  const noise = `POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 14000\r\n\r\n${'#'.repeat(14_000)}`;
  const count = 700;
  for (let i = 0; i < count; i += 1) {
    const sent = caller.text().length;
    caller.socket.write(post(i));
    await until('a request in flight', () => inFlight(harness) && latest !== undefined);
    other.socket.write(noise);
    const heard = other.text().length;
    await until('the answer to the noise', () => other.text().length > heard);
    let asked: Socket | undefined;
    await until('the whole answer', () => {
      // By the newest connection, of which the instance may hear only now.
      if (latest !== asked) latest?.write(OK);
      asked = latest;
      return caller.text().length >= sent + OK.length;
    });
  }
  const all = (): string =>
    [...received.values()].map((pieces) => Buffer.concat(pieces).toString('latin1')).join('\n');
  for (const socket of received.keys()) socket.resume();
  await until('the last request has come', () => all().includes(`POST /${count - 1} `));
  const text = all();
  const bodies = [...text.matchAll(/POST \/(\d+) HTTP[^]*?\r\n\r\n/g)].map((head) => {
    const body = text.slice(head.index + head[0].length).slice(0, LENGTH);
    // What was broken off with its connection is short; what is there is what was sent.
    const own = String.fromCharCode(65 + (Number(head[1]) % 26));
    return body.replaceAll(own, '').split('\n')[0];
  });
  expect(bodies.filter((rest) => rest !== '')).toEqual([]);
  expect(bodies.length).toBeGreaterThan(100);
});

test('what follows a body that was refused in the middle is served', async () => {
  const harness = await startPlane();
  harness.publisher.update({ models: [makeModel()], instances: [] });
  await harness.activator.ready;
  const caller = await dial(harness.port);
  const body = '{"model":"nobody"}';
  caller.socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n' +
      `Content-Length: ${body.length}\r\n\r\n`,
  );
  await caller.until(/100 Continue/);
  caller.socket.write(`${body}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(await caller.closed).toMatch(/HTTP\/1\.1 404 [^]*HTTP\/1\.1 200 OK[^]*ok\n$/);
});

test('a caller that takes nothing of its answer does not keep its slot for ever', async () => {
  const port = await serve((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
      socket.write(Buffer.alloc(64 * 1024 * 1024));
    });
  });
  const clock = createFakeClock();
  const harness = await startPlane({}, undefined, undefined, clock);
  const revision = makeRevision({ concurrency: 1 });
  const model = makeModel({ revisions: [revision] });
  harness.publisher.update({ models: [model], instances: [makeInstance(port)] });
  await harness.activator.ready;
  const stalled = await dial(harness.port);
  stalled.socket.pause();
  stalled.socket.write('GET /models/default/digits/x HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('a request in flight', () => inFlight(harness));
  await until('its slot is free', () => {
    clock.advance(1000);
    return !inFlight(harness);
  });
  stalled.socket.resume();
  await stalled.closed;
});
