import { afterEach, beforeEach, expect, test } from 'vitest';
import { KEEP_ALIVE_MS, LINGER_MS, SEND_TIMEOUT_MS } from '#activator/plane.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import {
  call,
  type Harness,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
  startInstance,
} from '../harness.ts';
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  fieldBlock,
  frame,
  GOAWAY,
  HEADERS,
  openRaw,
  PING,
  type RawClient,
  RST_STREAM,
  SETTINGS,
} from './frames.ts';

/** Callers of HTTP/2 that do not take what they asked for. */

const WINDOW_UPDATE = 8;
const INITIAL_WINDOW_SIZE = 4;
const MAX_WINDOW = 2 ** 31 - 1;

let harness: Harness;
let clock: FakeClock;
let raw: RawClient;
let instance: Awaited<ReturnType<typeof startInstance>>;

beforeEach(async () => {
  clock = createFakeClock();
  harness = await startHarness({}, {}, silentLog, clock);
  instance = await startInstance((incoming, response) => {
    response.end(incoming.url === '/small' ? 'small' : Buffer.alloc(1024 * 1024));
  });
  const timeouts = { hold: 60_000, run: 600_000, idle: 0, drain: 0 };
  const model = makeModel({ revisions: [makeRevision({ concurrency: 0, timeouts })] });
  harness.publisher.update({ models: [model], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  raw = await openRaw(harness.port);
});

afterEach(async () => {
  raw.socket.destroy();
  const closed = harness.close();
  clock.advance(LINGER_MS + 1000);
  await closed;
  await instance.close();
});

function ask(stream: number, path: string, flags = END_HEADERS | END_STREAM): Buffer {
  const fields = [
    [':method', (flags & END_STREAM) === 0 ? 'POST' : 'GET'],
    [':scheme', 'http'],
    [':authority', 'h'],
    [':path', path],
  ] as const;
  return frame(HEADERS, flags, stream, fieldBlock(fields));
}

function setWindow(size: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  payload.writeUInt32BE(size, 2);
  return frame(SETTINGS, 0, 0, payload);
}

function widen(stream: number, by: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(by, 0);
  return frame(WINDOW_UPDATE, 0, stream, payload);
}

const answered = (stream: number) => raw.until((f) => f.type === HEADERS && f.stream === stream);

test('streams with a window of 0 end when their time is over, and give their slots back', async () => {
  raw.write(setWindow(0), ask(1, '/models/default/digits/'), ask(3, '/nowhere'));
  await answered(1);
  await answered(3);
  expect(await harness.gauge('rouse_requests_in_flight')).toBe(1);
  clock.advance(SEND_TIMEOUT_MS + 1000);
  await raw.until((f) => f.type === RST_STREAM && f.stream === 1);
  expect(await harness.gauge('rouse_requests_in_flight')).toBe(0);
  clock.advance(KEEP_ALIVE_MS);
  await raw.until((f) => f.type === RST_STREAM && f.stream === 3);
});

test.each([
  ['the answer', END_HEADERS | END_STREAM],
  ['the body', END_HEADERS],
])('streams that are reset without an error in the middle of %s end', async (_, flags) => {
  raw.write(setWindow(0), ask(1, '/models/default/digits/', flags), ask(3, '/nowhere', flags));
  await answered(3);
  const noError = Buffer.alloc(4);
  raw.write(frame(RST_STREAM, 0, 1, noError), frame(RST_STREAM, 0, 3, noError));
  raw.write(frame(PING, 0, 0, Buffer.alloc(8)));
  await raw.until((f) => f.type === PING);
  clock.advance(1000);
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
  raw.write(frame(GOAWAY, 0, 0, Buffer.alloc(8)));
  raw.socket.end();
  await expect.poll(() => harness.gauge('rouse_client_connections')).toBe(0);
});

test('many streams that are read slowly end neither their connection nor what else is asked on it', async () => {
  const begun = (stream: number) =>
    raw.until((f) => (f.type === DATA || f.type === RST_STREAM) && f.stream === stream);
  raw.write(setWindow(20_000), widen(0, MAX_WINDOW - 65_535));
  const slow = Array.from({ length: 200 }, (_, i) => 1 + 2 * i);
  raw.write(...slow.map((stream) => ask(stream, '/models/default/digits/')));
  for (const stream of slow) expect((await begun(stream))?.type).toBe(DATA);
  const small = 1 + 2 * slow.length;
  raw.write(ask(small, '/models/default/digits/small'));
  expect((await begun(small))?.payload.toString()).toBe('small');
});

test('a connection that is not read at all ends when its time is over', async () => {
  raw.socket.pause();
  raw.write(setWindow(MAX_WINDOW), widen(0, MAX_WINDOW - 65_535));
  const ids = Array.from({ length: 50 }, (_, i) => 1 + 2 * i);
  raw.write(...ids.map((id) => ask(id, '/models/default/digits/')));
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBeGreaterThan(0);
  for (let i = 0; i < 4; i += 1) {
    clock.advance(KEEP_ALIVE_MS);
    await call(harness.port, '/models/default/digits/small');
  }
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
  await expect.poll(() => harness.gauge('rouse_client_connections')).toBe(0);
});
