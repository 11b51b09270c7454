import { afterEach, beforeEach, expect, test } from 'vitest';
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
  ACK,
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
} from './frames.ts';

/** Callers of HTTP/2 that give up what they asked, one stream after the other, with others on the same connection. */

const SERVED = '/models/default/digits/';
const ASLEEP = '/models/default/asleep/';
/** As many as are forgiven at once. */
const MANY = 1000;
const WINDOW_UPDATE = 8;
const WIDE = Buffer.from([0x7f, 0, 0, 0]);
const CANCEL = Buffer.from([0, 0, 0, 8]);
const ENHANCE_YOUR_CALM = 11;
/** The stream of a call that takes long. */
const LONG = 1;

let harness: Harness;
let clock: FakeClock;
let instance: Awaited<ReturnType<typeof startInstance>>;
let release: () => void;
let raw: RawClient;
let lastStream: number;

beforeEach(async () => {
  clock = createFakeClock();
  harness = await startHarness({}, {}, silentLog, clock);
  const released = Promise.withResolvers<void>();
  release = released.resolve;
  instance = await startInstance((incoming, response) => {
    incoming.resume();
    if (incoming.url === '/at-once') response.end('served');
    else void released.promise.then(() => response.end('served'));
  });
  const models = [
    makeModel({ revisions: [makeRevision({ concurrency: 0 })] }),
    makeModel({ name: 'asleep' }),
  ];
  harness.publisher.update({ models, instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  raw = await openRaw(harness.port);
  raw.write(frame(WINDOW_UPDATE, 0, 0, WIDE), open(SERVED, LONG));
  lastStream = LONG;
});

afterEach(async () => {
  raw.socket.destroy();
  const closed = harness.close();
  clock.advance(5000);
  await closed;
  await instance.close();
});

/** `more`: fields of a request that goes on; without any it ends here. */
function open(path: string, stream: number, more?: readonly (readonly [string, string])[]): Buffer {
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'h'],
    [':path', path],
    ...(more ?? []),
  ] as const;
  return frame(HEADERS, END_HEADERS | (more ? 0 : END_STREAM), stream, fieldBlock(fields));
}

/** Sends so many streams, each made of these frames. */
function sendMany(count: number, make: (stream: number) => readonly Buffer[]): void {
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i += 1) frames.push(...make((lastStream += 2)));
  raw.write(...frames);
}

const giveUp = (stream: number): Buffer => frame(RST_STREAM, 0, stream, CANCEL);
const askAndGiveUp = (stream: number): readonly Buffer[] => [open(ASLEEP, stream), giveUp(stream)];

const askWrongly = (stream: number): readonly Buffer[] => [
  open(ASLEEP, stream, [['content-length', '20']]),
  frame(DATA, END_STREAM, stream, Buffer.from('too short')),
];

/** Resolves when all that was sent before has been read and looked at, or the connection has ended. */
async function settled(): Promise<void> {
  const word = Buffer.alloc(8);
  word.writeUInt32BE(lastStream);
  raw.write(frame(PING, 0, 0, word));
  await raw.until(({ type, flags, payload }) => {
    return type === PING && flags === ACK && payload.equals(word);
  });
  await expect.poll(() => harness.gauge('rouse_queue_depth')).toBe(0);
}

async function expectAnswered(): Promise<void> {
  release();
  const end = await raw.until(({ type, stream }) => type === DATA && stream === LONG);
  expect(end?.payload.toString()).toBe('served');
}

/** How a stream ends without an answer. */
const ends: [string, (stream: number) => readonly Buffer[]][] = [
  ['are given up', askAndGiveUp],
  ['the caller has reset by what it sends', askWrongly],
];

test.each(ends)(
  'streams that %s do not end the connection while they are no more a second than may be open',
  async (_, make) => {
    for (let second = 0; second < 3; second += 1) {
      for (let half = 0; half < 2; half += 1) {
        sendMany(MANY / 2, make);
        await settled();
      }
      clock.advance(1000);
    }
    await expectAnswered();
  },
);

test('one that has its answer, and is reset since its request goes on, is none that was given up', async () => {
  for (let round = 0; round < 3; round += 1) {
    const first = lastStream;
    sendMany(MANY / 2, (stream) => [open('/nowhere', stream, [])]);
    const isLast = ({ type, stream }: { type: number; stream: number }): boolean =>
      type === DATA && stream === lastStream;
    await raw.until(isLast);
    const frames: Buffer[] = [];
    for (let stream = first + 2; stream <= lastStream; stream += 2) frames.push(giveUp(stream));
    raw.write(...frames);
    await settled();
  }
  await expectAnswered();
});

test.each(ends)(
  'more streams that %s end the connection, and leave nothing behind',
  async (_, make) => {
    sendMany(MANY / 2, make);
    await settled();
    sendMany(MANY / 2 + 1, make);
    const goaway = await raw.until(({ type }) => type === GOAWAY);
    // What is being written when it is cut may be lost.
    if (goaway) expect(goaway.payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
    await raw.closed;
    expect(await call(harness.port, `${SERVED}at-once`)).toMatchObject({ body: 'served' });
    await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
    await expect.poll(() => harness.gauge('rouse_queue_depth')).toBe(0);
  },
);
