import { beforeEach, expect, test } from 'vitest';
import { KEEP_ALIVE_MS, SEND_TIMEOUT_MS } from '#activator/plane.ts';
import { useTeardown } from '#test/teardown.ts';
import {
  call,
  makeInstance,
  makeModel,
  makeRevision,
  startInstance,
  startStill,
  type StillHarness,
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
  requestFields,
  RST_STREAM,
  settings,
  uint32,
  WINDOW_UPDATE,
} from './frames.ts';

/** Callers of HTTP/2 that do not take what they asked for. */

const INITIAL_WINDOW_SIZE = 4;
const MAX_WINDOW = 2 ** 31 - 1;

const teardown = useTeardown();
let harness: StillHarness;
let raw: RawClient;

beforeEach(async () => {
  const instance = await startInstance((incoming, response) => {
    response.end(incoming.url === '/small' ? 'small' : Buffer.alloc(1024 * 1024));
  });
  teardown(() => instance.close());
  harness = await startStill();
  teardown(() => harness.close());
  const timeouts = { hold: 60_000, run: 600_000, idle: 0, drain: 0 };
  const model = makeModel({ revisions: [makeRevision({ concurrency: 0, timeouts })] });
  harness.publisher.update({ models: [model], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  raw = await openRaw(harness.port);
  teardown(() => raw.socket.destroy());
});

function ask(stream: number, path: string, flags = END_HEADERS | END_STREAM): Buffer {
  const method = (flags & END_STREAM) === 0 ? 'POST' : 'GET';
  return frame(HEADERS, flags, stream, fieldBlock(requestFields(path, method)));
}

const setWindow = (size: number): Buffer => settings([INITIAL_WINDOW_SIZE, size]);
const widen = (stream: number, by: number): Buffer => frame(WINDOW_UPDATE, 0, stream, uint32(by));
const answered = (stream: number) => raw.until((f) => f.type === HEADERS && f.stream === stream);

test('streams with a window of 0 end when their time is over, and give their slots back', async () => {
  raw.write(setWindow(0), ask(1, '/models/default/digits/'), ask(3, '/nowhere'));
  await answered(1);
  await answered(3);
  expect(await harness.gauge('rouse_requests_in_flight')).toBe(1);
  harness.clock.advance(SEND_TIMEOUT_MS + 1000);
  await raw.until((f) => f.type === RST_STREAM && f.stream === 1);
  expect(await harness.gauge('rouse_requests_in_flight')).toBe(0);
  harness.clock.advance(KEEP_ALIVE_MS);
  await raw.until((f) => f.type === RST_STREAM && f.stream === 3);
});

test.each([
  ['the answer', END_HEADERS | END_STREAM],
  ['the body', END_HEADERS],
])('streams that are reset without an error in the middle of %s end', async (_, flags) => {
  raw.write(setWindow(0), ask(1, '/models/default/digits/', flags), ask(3, '/nowhere', flags));
  await answered(3);
  const noError = uint32(0);
  raw.write(frame(RST_STREAM, 0, 1, noError), frame(RST_STREAM, 0, 3, noError));
  raw.write(frame(PING, 0, 0, Buffer.alloc(8)));
  await raw.until((f) => f.type === PING);
  harness.clock.advance(1000);
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
    harness.clock.advance(KEEP_ALIVE_MS);
    await call(harness.port, '/models/default/digits/small');
  }
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
  await expect.poll(() => harness.gauge('rouse_client_connections')).toBe(0);
});
