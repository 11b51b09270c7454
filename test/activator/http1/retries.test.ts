import type { Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import {
  type Answered,
  call,
  makeInstance,
  makeModel,
  makeRevision,
  startStill,
  type StillHarness,
} from '../harness.ts';
import { type RecordingInstance, startRecordingInstance } from '../recording-instance.ts';

/**
 * How often an instance sees a request whose connection closes under it, over HTTP/1.1. That one which could not be
 * connected to costs nobody a request is shown in `exchange/holding`; for HTTP/2 see `http2/resets`. The clock stands
 * still: however slow the machine, a connection is not idle for long enough to be closed.
 */

const teardown = useTeardown();
let harness: StillHarness;

beforeEach(async () => {
  harness = await startStill();
  teardown(() => harness.close());
});

type Retry = 'never' | 'safe';
type Close = (socket: Socket) => unknown;

const PATH = '/models/default/digits/x';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
/** More of a body than is kept. */
const LARGE = 64 * 1024 + 1;

const closes: [string, Close][] = [
  ['ends', (socket) => socket.end()],
  ['is reset', (socket) => socket.resetAndDestroy()],
];

/** Answers all requests but those that `onAsked` says it has taken; `at`: how many came before. */
async function serve(
  retry: Retry,
  onAsked: (socket: Socket, at: number) => boolean,
): Promise<RecordingInstance> {
  let asked = 0;
  const instance = await startRecordingInstance((_, socket) => {
    const isTaken = onAsked(socket, asked);
    asked += 1;
    if (!isTaken) socket.write(OK);
  });
  teardown(() => instance.close());
  harness.publisher.update({
    models: [makeModel({ revisions: [makeRevision({ retry })] })],
    instances: [makeInstance(instance.port)],
  });
  await harness.activator.ready;
  return instance;
}

/** Two requests, one after the other, so that the second comes on a connection that was used before; its answer. */
async function askTwice(method: string, body?: string): Promise<Answered> {
  expect(await call(harness.port, PATH)).toMatchObject({ status: 200 });
  return await call(harness.port, PATH, { method, ...(body !== undefined && { body }) });
}

const only =
  (at: number, close: Close) =>
  (socket: Socket, asked: number): boolean => {
    if (asked === at) close(socket);
    return asked === at;
  };

describe.each(['never', 'safe'] as const)('retry: %s', (retry) => {
  describe.each([
    ['GET', true],
    ['HEAD', true],
    ['OPTIONS', true],
    ['PUT', true],
    ['DELETE', true],
    ['POST', false],
    ['PATCH', false],
  ])('%s', (method, isIdempotent) => {
    const body = method.startsWith('P') ? 'said' : undefined;
    const isRepeatable = isIdempotent || retry === 'safe';

    test.each(closes)('whose used connection %s before an answer', async (_, close) => {
      const instance = await serve(retry, only(1, close));
      const { status } = await askTwice(method, body);
      expect(status).toBe(isRepeatable ? 200 : 502);
      const [, ...sent] = instance.requests;
      expect(sent.map(({ content }) => content)).toEqual(
        Array.from({ length: isRepeatable ? 2 : 1 }, () => body ?? ''),
      );
    });
  });

  test.each(closes)(
    "a new connection that %s is the instance's doing: not again",
    async (_, close) => {
      const instance = await serve(retry, only(0, close));
      expect(await call(harness.port, PATH)).toMatchObject({ status: 502 });
      expect(instance.requests).toHaveLength(1);
    },
  );

  test.each(closes)('what fails once more is not sent a third time: it %s', async (_, close) => {
    const instance = await serve(retry, (socket, at) => {
      if (at > 0) close(socket);
      return at > 0;
    });
    expect(await askTwice('GET')).toMatchObject({ status: 502 });
    expect(instance.requests).toHaveLength(3);
  });

  test.each([
    ['a byte of an answer', 'H'],
    ['an informational head', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
  ])('once %s has come: not again', async (_, bytes) => {
    const instance = await serve(
      retry,
      only(1, (socket) => socket.end(bytes)),
    );
    expect(await askTwice('GET')).toMatchObject({ status: 502 });
    expect(instance.requests).toHaveLength(2);
  });

  test('with more of a body than is kept: not again', async () => {
    const instance = await serve(
      retry,
      only(1, (socket) => socket.resetAndDestroy()),
    );
    expect(await askTwice('PUT', 'a'.repeat(LARGE))).toMatchObject({ status: 502 });
    expect(instance.requests).toHaveLength(2);
  });
});
