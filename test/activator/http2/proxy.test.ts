import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LINGER_MS } from '#activator/plane.ts';
import {
  call,
  dial,
  LIMITS,
  makeInstance,
  makeModel,
  makeRevision,
  startStill,
} from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { answerOf, ask, openSession } from './client.ts';

const harness = useHarness();
let session: ClientHttp2Session;

beforeEach(async () => {
  session = await openSession(harness.port);
});

afterEach(() => {
  session.destroy();
});

/** Writes for as long as it is taken. */
async function endlessly(stream: ClientHttp2Stream): Promise<void> {
  const piece = Buffer.alloc(64 * 1024);
  while (!stream.closed && !stream.destroyed) {
    await new Promise((resolve) => stream.write(piece, resolve));
  }
}

const run = promisify(execFile);
const PATH = '/models/default/digits/x?y=1';

describe('forwarding', () => {
  test('a stream reaches the instance as HTTP/1.1, and its answer comes back with our fields', async () => {
    await harness.serve((incoming, response) => {
      const { method, url, headers } = incoming;
      response.setHeader('X-Own', 'é');
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.setHeader('Connection', 'X-Secret');
      response.setHeader('X-Secret', '1');
      response.end(Buffer.from(JSON.stringify({ method, url, headers })));
    });
    const answer = await ask(session, {
      ':path': PATH,
      ':authority': 'h:1',
      'x-mine': 'é',
      cookie: ['a=1', 'b=2'],
      'x-forwarded-for': '6.6.6.6',
      te: 'trailers',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'x-own': 'é',
      'set-cookie': ['a=1', 'b=2'],
      'rouse-revision': 'v1',
      'rouse-cold-start': 'false',
    });
    for (const name of ['connection', 'transfer-encoding', 'keep-alive', 'x-secret']) {
      expect(answer.headers).not.toHaveProperty(name);
    }
    const { method, url, headers } = JSON.parse(answer.body);
    expect([method, url]).toEqual(['GET', '/x?y=1']);
    expect(headers).toMatchObject({
      host: 'h:1',
      'x-mine': 'é',
      cookie: 'a=1; b=2',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'h:1',
    });
    expect(headers).not.toHaveProperty('te');
    expect(headers).not.toHaveProperty('transfer-encoding');
  });

  test.each([0, 1, 70_000, 5_000_000])(
    'a body of %i bytes arrives whole, with a length and without',
    async (size) => {
      await harness.serve(async (incoming, response) => {
        response.setHeader('x-framing', incoming.headers['content-length'] ?? 'chunked');
        response.end(await buffer(incoming));
      });
      const body = Buffer.alloc(size, 'abcdefghij');
      for (const given of [{ 'content-length': String(size) }, {}]) {
        const answer = await ask(session, { ':path': PATH, ':method': 'POST', ...given }, body);
        expect(answer.body).toBe(body.toString());
        expect(answer.headers['x-framing']).toBe(given['content-length'] ?? 'chunked');
      }
    },
  );

  test('trailers pass in both directions, informational heads to the caller', async () => {
    await harness.serve(async (incoming, response) => {
      await buffer(incoming);
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('some');
      response.addTrailers({ 'X-Sum': String(incoming.trailers['x-mine']) });
      response.end();
    });
    const stream = session.request({ ':path': PATH, ':method': 'POST' }, { waitForTrailers: true });
    const hints: unknown[] = [];
    stream.on('headers', (headers) => hints.push(headers[':status'], headers['link']));
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-mine': '5' }));
    stream.end('body');
    const answer = await answerOf(stream);
    expect(hints).toEqual([103, '</style.css>; rel=preload']);
    expect(answer).toMatchObject({ status: 200, body: 'some', trailers: { 'x-sum': '5' } });
  });

  test.each(['constructor', '__proto__', 'etag'])(
    'a field named %s, twice in a trailer and an informational head, is one like any other',
    async (name) => {
      const lines = `${name}: 1\r\n${name}: 2\r\n`;
      const answers = await harness.startBareInstance((socket) => {
        socket.once('data', () =>
          socket.write(
            `HTTP/1.1 103 Early Hints\r\n${lines}\r\nHTTP/1.1 200 OK\r\n` +
              `Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${lines}\r\n`,
          ),
        );
      });
      await harness.publish(makeModel(), answers.port);
      const stream = session.request({ ':path': PATH });
      const seen: unknown[] = [];
      const keep = (_: unknown, __: unknown, raw: readonly string[]): void => void seen.push(raw);
      stream.on('headers', keep);
      stream.on('trailers', keep);
      expect(await answerOf(stream)).toMatchObject({ status: 200, body: 'hi', reset: 0 });
      const fields = [name, '1', name, '2'];
      expect(seen).toEqual([[':status', '103', ...fields], fields]);
    },
  );

  test('HEAD, 204 and 304 have no body', async () => {
    await harness.serve((incoming, response) => {
      response.writeHead(Number(incoming.url?.slice(1) ?? 200), { etag: '"1"' });
      response.end(incoming.method === 'HEAD' ? undefined : '');
    });
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const path = `/models/default/digits/${status}`;
      const answer = await ask(session, { ':path': path, ':method': method });
      expect(answer).toMatchObject({ status, body: '', reset: 0 });
      expect(answer.headers['etag']).toBe('"1"');
    }
  });

  test('Expect: 100-continue is answered when the body is wanted', async () => {
    await harness.serve(async (incoming, response) => response.end(await buffer(incoming)));
    const stream = session.request({ ':path': PATH, ':method': 'POST', expect: '100-continue' });
    await once(stream, 'continue');
    stream.end('body');
    expect((await answerOf(stream)).body).toBe('body');
  });

  test('many streams of one connection run at the same time and are answered apart', async () => {
    const waiting: ServerResponse[] = [];
    const model = makeModel({ revisions: [makeRevision({ concurrency: 0 })] });
    await harness.serve((incoming, response) => {
      waiting.push(response);
      response.setHeader('x-path', incoming.url ?? '');
      if (waiting.length === 1000) for (const each of waiting) each.end('ok');
    }, model);
    const asked = Array.from({ length: 1000 }, (_, i) =>
      ask(session, { ':path': `/models/default/digits/${i}` }),
    );
    const answers = await Promise.all(asked);
    const seen = answers.map(({ status, reset, headers }) => [status, reset, headers['x-path']]);
    expect(seen).toEqual(answers.map((_, i) => [200, 0, `/${i}`]));
  });

  test('an early answer ends the stream although the body goes on', async () => {
    await harness.serve((_, response) => {
      response.writeHead(413);
      response.end('enough');
    });
    const stream = session.request({ ':path': PATH, ':method': 'POST' });
    const answer = answerOf(stream);
    await endlessly(stream);
    expect(await answer).toMatchObject({ status: 413, body: 'enough', reset: 0 });
  });

  /** A data plane whose time only the test makes pass, and a session with it. */
  async function startOther() {
    const other = await startStill();
    harness.teardown(() => other.close());
    const its = await openSession(other.port);
    harness.teardown(() => its.destroy());
    other.publisher.update({ models: [makeModel()] });
    await other.activator.ready;
    return { clock: other.clock, its };
  }

  const NOT_A_GRPC_TIMEOUT = { 'content-type': 'application/grpc', 'grpc-timeout': 'soon' };

  test.each<[string, number, OutgoingHttpHeaders]>([
    ['goes nowhere', 404, { ':path': '/v2/models/none/infer' }],
    ['has a bad path', 400, { ':path': '/%zz' }],
    ['has a head that is too large', 431, { 'x-large': 'v'.repeat(40_000) }],
    ['is a bad gRPC call', 200, NOT_A_GRPC_TIMEOUT],
  ])('the body of what %s is not waited for, once it is answered', async (_, status, headers) => {
    const { clock, its } = await startOther();
    const stream = its.request({ ':path': PATH, ':method': 'POST', ...headers });
    stream.write('some');
    const answer = answerOf(stream);
    await once(stream, 'end');
    // Answered after what was sent before it, so that the first stream is being waited for.
    for (let i = 0; i < 3; i += 1) await ask(its, { ':path': '/v2/health/live' });
    expect(stream.closed).toBe(false);
    clock.advance(LINGER_MS + 1000);
    expect(await answer).toMatchObject({ status, reset: 0 });
  });

  test('a body that says that it is too long is not waited for at all', async () => {
    const { its } = await startOther();
    const headers = { ':path': PATH, ':method': 'POST', 'content-length': LIMITS.body + 1 };
    const stream = its.request(headers);
    stream.write('some');
    expect(await answerOf(stream)).toMatchObject({ status: 413, reset: 0 });
  });

  test.each([
    ['with a length', { 'content-length': '4' }],
    ['without one', {}],
  ])('a 205 has no content, though its instance sends some, %s', async (_, headers) => {
    await harness.serve((incoming, response) => {
      if (incoming.url === '/next') response.end('next');
      else response.writeHead(205, headers).end('some');
    });
    const answer = await ask(session, { ':path': PATH });
    expect(answer).toMatchObject({ status: 205, body: '', reset: 0 });
    expect(answer.headers).not.toHaveProperty('content-length');
    const next = await ask(session, { ':path': '/models/default/digits/next' });
    expect(next.body).toBe('next');
  });

  test.each([
    ['10 bytes', 10],
    ['more than all windows', 2_000_000],
  ])('curl gets an answer that comes before its body, of %s (needs curl)', async (_, size) => {
    await harness.serve((__, response) => response.end('ok'));
    const folder = await mkdtemp(join(tmpdir(), 'rouse-http2-'));
    harness.teardown(() => rm(folder, { recursive: true }));
    const file = join(folder, 'body');
    await writeFile(file, Buffer.alloc(size, 'x'));
    const url = `http://127.0.0.1:${harness.port}/v2/models/none/infer`;
    const fixed = ['--http2-prior-knowledge', '-sS', '-o', join(folder, 'answer')];
    for (let i = 0; i < 10; i += 1) {
      const given = [...fixed, '-w', '%{http_code}', '--data-binary', `@${file}`, url];
      expect((await run('curl', given)).stdout).toBe('404');
    }
  });

  test('the preface may come in pieces, and only first', async () => {
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const pieces = await dial(harness.port);
    for (const byte of preface) {
      pieces.socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    pieces.socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    // Its SETTINGS.
    await pieces.until(/^[^]{9}/);
    expect(pieces.text().charCodeAt(3)).toBe(4);
    pieces.socket.destroy();
    await harness.serve((_, response) => response.end('ok'));
    const late = await dial(harness.port);
    late.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n${preface}`);
    expect(await late.closed).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 505 /);
  });
});

describe('flow', () => {
  test('a caller that reads slowly holds back its own stream only', async () => {
    const size = 8 * 1024 * 1024;
    let written = 0;
    await harness.serve((incoming, response) => {
      if (incoming.url === '/small') {
        response.end('small');
        return;
      }
      const piece = Buffer.alloc(64 * 1024, 'x');
      const more = (): void => {
        while (written < size) {
          written += piece.length;
          if (!response.write(piece)) return;
        }
        response.end();
      };
      response.on('drain', more);
      more();
    });
    const slow = session.request({ ':path': '/models/default/digits/large' });
    await once(slow, 'response');
    slow.pause();
    const small = await ask(session, { ':path': '/models/default/digits/small' });
    expect(small.body).toBe('small');
    expect(written).toBeLessThan(size);
    let read = 0;
    slow.on('data', (piece: Buffer) => (read += piece.length));
    slow.resume();
    await once(slow, 'end');
    expect(read).toBe(size);
  });

  test('an instance that reads slowly holds back its own caller only', async () => {
    const size = 8 * 1024 * 1024;
    const held: IncomingMessage[] = [];
    await harness.serve((incoming, response) => {
      if (incoming.url === '/small') response.end('small');
      else {
        held.push(incoming);
        let read = 0;
        incoming.on('data', (piece: Buffer) => (read += piece.length));
        incoming.on('end', () => response.end(String(read)));
        incoming.pause();
      }
    });
    const large = session.request({ ':path': '/models/default/digits/large', ':method': 'POST' });
    const answered = answerOf(large);
    large.end(Buffer.alloc(size));
    const small = await ask(session, { ':path': '/models/default/digits/small' });
    expect(small.body).toBe('small');
    expect(large.writableLength).toBeGreaterThan(0);
    await expect.poll(() => held.length).toBe(1);
    held[0]?.resume();
    expect((await answered).body).toBe(String(size));
  });
});

describe('ends', () => {
  test('a reset by the caller ends its request at the instance and frees its slot', async () => {
    const model = makeModel({ revisions: [makeRevision({ concurrency: 1 })] });
    const gone = Promise.withResolvers<void>();
    await harness.serve((incoming, response) => {
      if (incoming.url === '/next') response.end('next');
      else incoming.once('close', () => gone.resolve());
    }, model);
    const first = session.request({ ':path': '/models/default/digits/first' });
    first.on('error', () => {});
    const next = ask(session, { ':path': '/models/default/digits/next' });
    await harness.report('wake');
    first.close(8);
    await gone.promise;
    expect((await next).body).toBe('next');
  });

  test('an instance that dies in the middle resets its stream and no other', async () => {
    const broken = Promise.withResolvers<IncomingMessage>();
    const waiting = Promise.withResolvers<ServerResponse>();
    await harness.serve((incoming, response) => {
      if (incoming.url === '/fine') waiting.resolve(response);
      else {
        response.write('some');
        broken.resolve(incoming);
      }
    });
    const cut = ask(session, { ':path': '/models/default/digits/cut' });
    const fine = ask(session, { ':path': '/models/default/digits/fine' });
    const other = await waiting.promise;
    (await broken.promise).socket.destroy();
    expect(await cut).toMatchObject({ status: 200, body: 'some', reset: 2 });
    other.end('fine');
    expect(await fine).toMatchObject({ status: 200, body: 'fine', reset: 0 });
  });

  test('a caller that goes away ends what it asked for, and its connection is counted off', async () => {
    const gone = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    await harness.serve((incoming) => {
      arrived.resolve();
      incoming.once('close', () => gone.resolve());
    });
    const connections = (): Promise<number> => harness.gauge('rouse_client_connections');
    const other = await dial(harness.port);
    void ask(session, { ':path': PATH });
    await arrived.promise;
    await expect.poll(connections).toBe(2);
    session.destroy();
    await gone.promise;
    await expect.poll(connections).toBe(1);
    other.socket.destroy();
    await expect.poll(connections).toBe(0);
  });

  test('a graceful close tells it, and finishes what runs', async () => {
    const running = Promise.withResolvers<ServerResponse>();
    await harness.serve((_, response) => running.resolve(response));
    const slow = ask(session, { ':path': PATH });
    const response = await running.promise;
    const told = once(session, 'goaway');
    const closed = harness.activator.close(10_000);
    expect((await told).slice(0, 2)).toEqual([0, 1]);
    response.end('done');
    expect(await slow).toMatchObject({ body: 'done', reset: 0 });
    await closed;
  });

  test('what is cut when the time to close is over does not look whole', async () => {
    await harness.serve((_, response) => response.write('first'));
    const session = await openSession(harness.port);
    harness.teardown(() => session.destroy());
    const stream = session.request({ ':path': PATH });
    const failed = once(stream, 'error');
    stream.resume();
    await once(stream, 'data');
    await harness.activator.close(0);
    expect(String(await failed)).not.toContain('NO_ERROR');
    expect(stream.rstCode).not.toBe(0);
  });

  test('an idle connection ends with a graceful close', async () => {
    await harness.serve((_, response) => response.end('ok'));
    await ask(session, { ':path': PATH });
    const ended = once(session, 'close');
    await harness.activator.close(10_000);
    await ended;
  });
});

describe('holding', () => {
  test('streams wait for an instance in order, and are answered when it is there', async () => {
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ concurrency: 1 })] })],
    });
    await harness.activator.ready;
    const order: string[] = [];
    const asked = Array.from({ length: 20 }, (_, i) =>
      ask(session, { ':path': `/models/default/digits/${i}`, ':method': 'POST' }, `body ${i}`),
    );
    await harness.report('wake', ({ queued }) => queued >= 16);
    const instance = await harness.startInstance((incoming, response) => {
      order.push(incoming.url ?? '');
      incoming.pipe(response);
    });
    harness.publisher.update({ instances: [makeInstance(instance.port)] });
    const answers = await Promise.all(asked);
    expect(answers.map(({ body }) => body)).toEqual(answers.map((_, i) => `body ${i}`));
    expect(order).toEqual(answers.map((_, i) => `/${i}`));
    expect(answers[0]?.headers['rouse-cold-start']).toBe('true');
  });

  test('refusals are those of HTTP/1.1', async () => {
    await harness.serve((_, response) => response.end('ok'));
    for (const path of ['/models/default/none/', '/v2/models/none/infer', '/v1/chat/completions']) {
      const body = '{"model": "none"}';
      const one = await call(harness.port, path, { body });
      const two = await ask(session, { ':path': path, ':method': 'POST' }, body);
      expect(two.status, path).toBe(one.status);
      expect(two.body).toBe(one.body);
      expect(two.headers['content-type']).toBe(one.headers['content-type']);
    }
  });
});
