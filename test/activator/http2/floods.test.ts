import { afterEach, beforeEach, expect, test } from 'vitest';
import { call, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  fieldBlock,
  frame,
  GOAWAY,
  HEADERS,
  openRaw,
  PING,
  type RawClient,
  requestFields,
  RST_STREAM,
  SETTINGS,
  settings,
  uint32,
  WINDOW_UPDATE,
} from './frames.ts';

/**
 * One caller of HTTP/2 that sends more of something than anybody needs. Whether its connection ends or goes on:
 * others are served, memory is bounded, and nothing is left in the gate.
 */

const PATH = '/models/default/digits/';
const ASLEEP = '/models/default/asleep/';
const PRIORITY = 2;
/** Bytes that one flood sends, more or less. */
const FLOOD = 6 * 1024 * 1024;
const PIECE = 64 * 1024;
/** Of the memory of caller, data plane and instance, with what is not collected yet; far below what floods are after. */
const MAX_GROWTH = 256 * 1024 * 1024;

const harness = useHarness();
let raw: RawClient;
let port: number;

beforeEach(async () => {
  const instance = await harness.startInstance((incoming, response) => {
    incoming.resume();
    incoming.once('end', () => response.end('served'));
  });
  port = instance.port;
  const models = [
    makeModel({ revisions: [makeRevision({ concurrency: 0 })] }),
    makeModel({ name: 'asleep' }),
  ];
  harness.publisher.update({ models, instances: [makeInstance(port)] });
  await harness.activator.ready;
  raw = await openRaw(harness.port);
});

afterEach(() => {
  raw.socket.destroy();
});

function fields(path: string, more: readonly Field[] = []): Buffer {
  return fieldBlock([...requestFields(path), ...more]);
}

const numbered = (i: number): number => 1 + 2 * i;

/** Bytes of one round, until all is sent or the connection has ended; the same each time if it does not ask for the round. */
type Flood = (round: number) => Buffer;

const many = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));

/** An entry of 4 000 bytes in HPACK's table, named by one byte ten thousand times. */
function bomb(stream: number): Buffer {
  const entry = Buffer.concat([
    Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4000, 0x61),
  ]);
  const block = Buffer.concat([fields(PATH), entry, Buffer.alloc(10_000, 0x80 | 62)]);
  return frame(HEADERS, END_HEADERS | END_STREAM, stream, block);
}

const OPEN = 1;
const open = (path = PATH): Buffer => frame(HEADERS, END_HEADERS, OPEN, fields(path));

const ENDS = true;
const GOES_ON = false;

/** What is sent, whether the connection ends over it, how it begins, how it goes on. */
const floods: [string, boolean, Buffer, Flood][] = [
  ['empty DATA frames', ENDS, open(), () => many(PIECE / 9, () => frame(DATA, 0, OPEN))],
  [
    'DATA that is all padding',
    GOES_ON,
    open(),
    () =>
      many(200, () => frame(DATA, 8, OPEN, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]))),
  ],
  [
    'PRIORITY',
    ENDS,
    open(),
    () => many(PIECE / 14, (i) => frame(PRIORITY, 0, numbered(i), Buffer.from([0, 0, 0, 0, 9]))),
  ],
  ['SETTINGS', ENDS, open(), () => many(PIECE / 15, (i) => settings([4, i % 2 ? 1 : 65_535]))],
  [
    'SETTINGS of many pairs',
    ENDS,
    open(),
    () =>
      many(4, () =>
        settings(...Array.from({ length: 2700 }, (_, i) => [4, i] as [number, number])),
      ),
  ],
  [
    'SETTINGS that change the header table',
    ENDS,
    open(),
    () => many(PIECE / 15, (i) => settings([1, i % 2 ? 0 : 4096])),
  ],
  ['PING', ENDS, open(), () => many(PIECE / 17, () => frame(PING, 0, 0, Buffer.alloc(8)))],
  [
    'answers to SETTINGS that were not sent',
    ENDS,
    open(),
    () => many(PIECE / 9, () => frame(SETTINGS, ACK, 0)),
  ],
  [
    'WINDOW_UPDATE by 1',
    GOES_ON,
    open(),
    () => many(PIECE / 13, () => frame(WINDOW_UPDATE, 0, OPEN, uint32(1))),
  ],
  [
    'WINDOW_UPDATE by 0',
    ENDS,
    open(),
    () => many(PIECE / 13, () => frame(WINDOW_UPDATE, 0, OPEN, uint32(0))),
  ],
  ['unknown frames', GOES_ON, open(), () => many(4, () => frame(0x42, 0, 0, Buffer.alloc(16_000)))],
  [
    'header tables that grow to many times their bytes',
    GOES_ON,
    Buffer.alloc(0),
    (round) => many(6, (i) => bomb(numbered(round * 6 + i))),
  ],
  [
    'heads that are too large',
    GOES_ON,
    Buffer.alloc(0),
    (round) =>
      many(1, () =>
        frame(
          HEADERS,
          END_HEADERS | END_STREAM,
          numbered(round),
          fields(PATH, [['x', 'a'.repeat(16_000)]]),
        ),
      ),
  ],
  [
    'heads without an end',
    ENDS,
    frame(HEADERS, 0, OPEN, fields(PATH)),
    () => many(PIECE / 9, () => frame(CONTINUATION, 0, OPEN)),
  ],
  [
    'requests that are reset where they wait',
    ENDS,
    Buffer.alloc(0),
    (round) =>
      many(100, (i) =>
        Buffer.concat([
          frame(HEADERS, END_HEADERS | END_STREAM, numbered(round * 100 + i), fields(ASLEEP)),
          frame(RST_STREAM, 0, numbered(round * 100 + i), uint32(8)),
        ]),
      ),
  ],
  [
    'frames on streams that are closed',
    GOES_ON,
    Buffer.alloc(0),
    (round) =>
      round === 0
        ? Buffer.concat([open(), frame(RST_STREAM, 0, OPEN, uint32(8))])
        : many(PIECE / 100, () => frame(DATA, 0, OPEN, Buffer.alloc(91))),
  ],
  ['GOAWAY', GOES_ON, open(), () => many(PIECE / 17, () => frame(GOAWAY, 0, 0, Buffer.alloc(8)))],
];

test.each(floods)('a flood of %s', async (_, ends, first, make) => {
  const before = memory();
  raw.write(first);
  let ended = false;
  void raw.closed.then(() => (ended = true));
  let sent = 0;
  let others = 0;
  let bytes = first;
  for (let round = 0; sent < FLOOD && !ended; round += 1) {
    if (round === 0 || make.length > 0) bytes = make(round);
    sent += bytes.length;
    if (!raw.socket.write(bytes)) await Promise.race([drained(), raw.closed]);
    if (round % 20 !== 0) continue;
    expect(await call(harness.port, PATH)).toMatchObject({ status: 200 });
    others += 1;
  }
  expect(others).toBeGreaterThan(0);
  if (ends) await raw.closed;
  else expect(ended).toBe(false);
  expect(memory() - before).toBeLessThan(MAX_GROWTH);
  raw.socket.destroy();
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
  await expect.poll(() => harness.gauge('rouse_queue_depth')).toBe(0);
  await expect.poll(() => harness.gauge('rouse_client_connections')).toBe(0);
});

/** An instance that answers when it is told to; resolves to that when a request has come. */
async function answerLater(): Promise<{ arrived: Promise<void>; release: () => void }> {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const slow = await harness.startInstance((_, response) => {
    response.write('first,');
    arrived.resolve();
    void released.promise.then(() => response.end('last'));
  });
  const models = [makeModel({ revisions: [makeRevision({ concurrency: 0 })] })];
  harness.publisher.update({ models, instances: [makeInstance(slow.port)] });
  harness.publisher.update({ removedInstances: [`instance-${port}`] });
  return { arrived: arrived.promise, release: () => released.resolve() };
}

test('a caller that says GOAWAY in the middle gets the rest of its answer', async () => {
  const { arrived, release } = await answerLater();
  raw.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(PATH)));
  await arrived;
  raw.write(frame(GOAWAY, 0, 0, Buffer.alloc(8)));
  await raw.until(({ type }) => type === GOAWAY);
  release();
  await raw.closed;
  const body = raw.frames
    .filter(({ type }) => type === DATA)
    .map(({ payload }) => payload.toString());
  expect(body.join('')).toBe('first,last');
  expect(raw.frames.some(({ stream, flags }) => stream === 1 && flags === END_STREAM)).toBe(true);
});

/** Not by `once`, which fails when the connection does: that may be what is waited for. */
function drained(): Promise<unknown> {
  return new Promise((resolve) => raw.socket.once('drain', resolve));
}

function memory(): number {
  return process.memoryUsage.rss();
}
