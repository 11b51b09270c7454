import { constants, type OutgoingHttpHeaders } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { type Answered2, ask, openSession } from './client.ts';
import {
  type Asked,
  type ResettingInstance,
  startResettingInstance,
} from './resetting-instance.ts';

/** How often an instance sees a request that it does not answer, over HTTP/2. */

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

const harness = useHarness();

/** What is asked so often by one call would be asked without end. */
const ENOUGH = 20;

type Retry = 'never' | 'safe';

/** The first request is answered, so that those after it come on a session that was used before. */
async function serve(
  retry: Retry,
  onAsked: (asked: Asked, at: number) => void,
): Promise<ResettingInstance> {
  const instance = await startResettingInstance((asked, at) => {
    if (at === 0 || at >= ENOUGH) asked.answer();
    else onAsked(asked, at);
  });
  harness.teardown(() => instance.close());
  const { port } = instance;
  const address = { node: 'test', host: '127.0.0.1', port, h2c: true } as const;
  harness.publisher.update({
    models: [makeModel({ revisions: [makeRevision({ retry })] })],
    instances: [makeInstance(port, { address })],
  });
  await harness.activator.ready;
  return instance;
}

const GRPC: OutgoingHttpHeaders = {
  ':path': '/test.Echo/Unary',
  ':method': 'POST',
  'content-type': 'application/grpc',
  'rouse-model': 'digits',
  te: 'trailers',
};
const GET: OutgoingHttpHeaders = { ':path': '/models/default/digits/x' };
const POST: OutgoingHttpHeaders = { ...GET, ':method': 'POST' };
const MESSAGE = Buffer.alloc(5);

/** Two calls, one after the other; the second one's answer. */
async function askTwice(headers: OutgoingHttpHeaders): Promise<Answered2> {
  const session = await openSession(harness.port);
  harness.teardown(() => session.destroy());
  const body = headers[':method'] === 'POST' ? MESSAGE : undefined;
  const first = await ask(session, headers, body);
  expect(first).toMatchObject({ status: 200, reset: 0 });
  return await ask(session, headers, body);
}

function expectLost(answer: Answered2): void {
  const isGrpc = answer.headers['content-type'] === 'application/grpc';
  if (isGrpc) expect(answer.headers['grpc-status']).toBe('14');
  else expect(answer.status).toBe(502);
}

/** All that RFC 9113 knows. */
const CODES = Array.from({ length: 14 }, (_, code) => code);

describe.each([
  ['a gRPC call', GRPC],
  ['GET', GET],
  ['POST', POST],
])('%s', (_, headers) => {
  describe.each(['never', 'safe'] as const)('retry: %s', (retry) => {
    const isRepeatable = retry === 'safe' || headers === GET;

    test.each(CODES)('that is reset with code %i', async (code) => {
      const instance = await serve(retry, (asked) => asked.reset(code));
      expectLost(await askTwice(headers));
      const refused = code === NGHTTP2_REFUSED_STREAM;
      expect(instance.asked.length - 1).toBe(refused ? 2 : 1);
    });

    test('whose connection closes, always', async () => {
      const instance = await serve(retry, ({ socket }) => socket.destroy());
      expectLost(await askTwice(headers));
      expect(instance.asked.length - 1).toBe(isRepeatable ? 2 : 1);
    });

    test.each([
      ['ends', ({ socket }: Asked) => socket.end()],
      ['is reset', ({ socket }: Asked) => socket.resetAndDestroy()],
    ])('whose connection %s, once', async (__, close) => {
      const instance = await serve(retry, (asked, at) => {
        if (at === 1) close(asked);
        else asked.answer();
      });
      const answer = await askTwice(headers);
      if (isRepeatable) expect(answer.status).toBe(200);
      else expectLost(answer);
      expect(instance.asked.length - 1).toBe(isRepeatable ? 2 : 1);
    });

    test.each([
      ['NO_ERROR', NGHTTP2_NO_ERROR],
      ['INTERNAL_ERROR', NGHTTP2_INTERNAL_ERROR],
    ])('above the last stream of a GOAWAY with %s is sent again', async (__, code) => {
      const instance = await serve(retry, (asked, at) => {
        if (at === 1) asked.goAway(asked.stream - 2, code);
        else asked.answer();
      });
      expect((await askTwice(headers)).status).toBe(200);
      expect(instance.asked.length - 1).toBe(2);
    });

    test('above the last stream of every GOAWAY is sent again once', async () => {
      const instance = await serve(retry, (asked) => {
        asked.goAway(Math.max(0, asked.stream - 2), NGHTTP2_INTERNAL_ERROR);
      });
      expectLost(await askTwice(headers));
      expect(instance.asked.length - 1).toBe(2);
    });

    test('that a GOAWAY counts in, and that is reset, is not sent again', async () => {
      const instance = await serve(retry, (asked) => {
        asked.goAway(asked.stream, NGHTTP2_NO_ERROR);
        asked.reset(NGHTTP2_INTERNAL_ERROR);
      });
      expectLost(await askTwice(headers));
      expect(instance.asked.length - 1).toBe(1);
    });

    test('that is refused once, and whose connection closes then, is not sent a third time', async () => {
      const instance = await serve(retry, (asked, at) => {
        if (at === 1) asked.reset(NGHTTP2_REFUSED_STREAM);
        else asked.socket.destroy();
      });
      expectLost(await askTwice(headers));
      expect(instance.asked.length - 1).toBe(2);
    });
  });
});

test('what is not POST is no gRPC call: it is answered as HTTP', async () => {
  await serve('never', (asked) => asked.reset(NGHTTP2_INTERNAL_ERROR));
  const answer = await askTwice({ ...GRPC, ':method': 'GET' });
  expect(answer.status).toBe(502);
});
