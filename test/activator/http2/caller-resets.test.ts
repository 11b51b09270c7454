import { beforeEach, expect, test } from 'vitest';
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
  ACK,
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
  uint32,
  WINDOW_UPDATE,
} from './frames.ts';

/** Callers of HTTP/2 that give up what they asked, one stream after the other, with others on the same connection. */

const SERVED = '/models/default/digits/';
const ASLEEP = '/models/default/asleep/';
/** As many as are forgiven at once. */
const MANY = 1000;
const WIDE = 0x7f_00_00_00;
const PROTOCOL_ERROR = 1;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;
/** The stream of a call that takes long. */
const LONG = 1;

const teardown = useTeardown();
let harness: StillHarness;
let release: () => void;
let raw: RawClient;
let lastStream: number;

beforeEach(async () => {
  const released = Promise.withResolvers<void>();
  release = released.resolve;
  const instance = await startInstance((incoming, response) => {
    incoming.resume();
    if (incoming.url === '/at-once') response.end('served');
    else void released.promise.then(() => response.end('served'));
  });
  teardown(() => instance.close());
  harness = await startStill();
  teardown(() => harness.close());
  const models = [
    makeModel({ revisions: [makeRevision({ concurrency: 0 })] }),
    makeModel({ name: 'asleep' }),
  ];
  harness.publisher.update({ models, instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  raw = await openRaw(harness.port);
  teardown(() => raw.socket.destroy());
  raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(WIDE)), open(SERVED, LONG));
  lastStream = LONG;
});

/** `more`: fields of a request that goes on; without any it ends here. */
function open(path: string, stream: number, more?: readonly Field[]): Buffer {
  const fields = fieldBlock([...requestFields(path), ...(more ?? [])]);
  return frame(HEADERS, END_HEADERS | (more ? 0 : END_STREAM), stream, fields);
}

/** Sends so many streams, each made of these frames. */
function sendMany(count: number, make: (stream: number) => readonly Buffer[]): void {
  const frames: Buffer[] = [];
  for (let i = 0; i < count; i += 1) frames.push(...make((lastStream += 2)));
  raw.write(...frames);
}

const giveUp = (stream: number): Buffer => frame(RST_STREAM, 0, stream, uint32(CANCEL));
const askAndGiveUp = (stream: number): readonly Buffer[] => [open(ASLEEP, stream), giveUp(stream)];

const askTooLittle = (stream: number): readonly Buffer[] => [
  open(ASLEEP, stream, [['content-length', '20']]),
  frame(DATA, END_STREAM, stream, Buffer.from('too short')),
];

const askTooMuch = (stream: number): readonly Buffer[] => [
  open(ASLEEP, stream, [['content-length', '3']]),
  frame(DATA, END_STREAM, stream, Buffer.from('too long')),
];

/** Resolves when all that was sent before has been read and looked at, or the connection has ended. */
async function settled(): Promise<void> {
  const word = uint32(lastStream, 0);
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
  ['have less of a body than they say', askTooLittle],
  ['have more of a body than they say', askTooMuch],
];

test.each(ends)(
  'streams that %s do not end the connection while they are no more a second than may be open',
  async (_, make) => {
    for (let second = 0; second < 3; second += 1) {
      for (let half = 0; half < 2; half += 1) {
        sendMany(MANY / 2, make);
        await settled();
      }
      harness.clock.advance(1000);
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

test('a fault of the connection itself ends it, with what it has', async () => {
  raw.write(frame(DATA, 0, 0, Buffer.from('of no stream')));
  expect((await raw.until(({ type }) => type === GOAWAY))?.payload.readUInt32BE(4)).toBe(
    PROTOCOL_ERROR,
  );
  harness.clock.advance(1000);
  await raw.closed;
  await expect.poll(() => harness.gauge('rouse_requests_in_flight')).toBe(0);
});
