import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type RequestListener } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  call,
  dial,
  makeInstance,
  makeModel,
  makeRevision,
  startStill,
  type StillHarness,
} from '../harness.ts';
import { untilStill } from '../until-still.ts';
import { useHarness } from '../use-harness.ts';

const harness = useHarness();

const PATH = '/models/default/digits/x?y=1';

describe('forwarding', () => {
  test('a request reaches the instance with its path, and its answer comes back with our fields', async () => {
    await harness.serve((incoming, response) => {
      response.setHeader('X-Own', 'kept');
      response.end(`${incoming.method} ${incoming.url} ${String(incoming.headers['x-mine'])}`);
    });
    const answer = await call(harness.port, PATH, { headers: { 'X-Mine': 'there' } });
    expect(answer.body).toBe('GET /x?y=1 there');
    expect(answer.headers).toMatchObject({
      'x-own': 'kept',
      'rouse-revision': 'v1',
      'rouse-cold-start': 'false',
    });
    expect(answer.headers['server-timing']).toMatch(/^queue;dur=[\d.]+, infer;dur=[\d.]+$/);
  });

  describe('to a model that is a part of a server', () => {
    async function serveBelow(basePath: string): Promise<void> {
      const { port } = await harness.startInstance((incoming, response) =>
        response.end(incoming.url),
      );
      const { address, ...rest } = makeInstance(port);
      await harness.publish(makeModel({ revisions: [makeRevision()] }));
      harness.publisher.update({ instances: [{ ...rest, address: { ...address, basePath } }] });
    }
    const ask = async (rest: string) => {
      const client = await dial(harness.port);
      client.socket.write(
        `GET /models/default/digits${rest} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
      );
      return await client.closed;
    };

    test.each([
      '/..',
      '/../x',
      '/a/../../x',
      '/./x',
      '/a/.',
      '/%2e%2e/x',
      '/.%2E/x',
      '/..%2fx',
      '/a%2f..%2fx',
      '/..;/x',
      '/..\\x',
      '/%5c..%5cx',
      '/..?x',
    ])('%s does not lead out of it', async (rest) => {
      await serveBelow('/public/llm');
      expect(await ask(rest)).toMatch(/^HTTP\/1\.1 400 [^]*lead out of the address of the model/);
    });

    test.each(['/', '/a.b/..c/...', '/x?y=/../z', '/.well-known/x'])(
      '%s stays below',
      async (rest) => {
        await serveBelow('/public/llm');
        expect(await ask(rest)).toContain(`/public/llm${rest}`);
      },
    );

    test('one that is all of its server gets every path as it came', async () => {
      await serveBelow('');
      expect(await ask('/a/../b')).toContain('/a/../b');
    });
  });

  test('hop-by-hop fields and those that Connection names end here', async () => {
    const seen: IncomingMessage['headers'][] = [];
    await harness.serve((incoming, response) => {
      seen.push(incoming.headers);
      response.writeHead(200, {
        Connection: 'X-Secret, close',
        'X-Secret': '1',
        'Rouse-Revision': 'fake',
      });
      response.end();
    });
    const client = await dial(harness.port);
    client.socket.write(
      'GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\nConnection: X-Drop, close\r\nX-Drop: 1\r\n' +
        'Keep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\nX-Keep: 1\r\n\r\n',
    );
    const text = await client.closed;
    expect(text).not.toMatch(/x-secret/i);
    expect(text).not.toMatch(/fake/);
    expect(seen[0]).toMatchObject({ 'x-keep': '1', 'x-forwarded-for': '127.0.0.1', host: 'h' });
    expect(seen[0]).not.toHaveProperty('x-drop');
    expect(seen[0]).not.toHaveProperty('keep-alive');
  });

  test.each([0, 1, 10, 70_000, 5_000_000])(
    'a body of %i bytes arrives whole, by length and in chunks',
    async (size) => {
      await harness.serve(async (incoming, response) => {
        const body = await buffer(incoming);
        response.end(body);
      });
      const body = Buffer.alloc(size, 'abcdefghij');
      const byLength = await call(harness.port, PATH, { body });
      expect(byLength.body).toBe(body.toString());
      const inChunks = await call(harness.port, PATH, {
        body,
        headers: { 'Transfer-Encoding': 'chunked' },
      });
      expect(inChunks.body).toBe(body.toString());
    },
  );

  test('connections to the instance are used again', async () => {
    let connections = 0;
    const instance = await harness.serve((_, response) => response.end('ok'));
    instance.server.on('connection', () => (connections += 1));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 20; i += 1) await call(harness.port, PATH, { agent });
    agent.destroy();
    expect(connections).toBe(1);
  });

  test('requests sent ahead are answered in order', async () => {
    await harness.serve((incoming, response) => {
      // The first answer is the last to be made.
      const delay = incoming.url === '/0' ? 20 : 0;
      setTimeout(() => response.end(`<${incoming.url}>`), delay);
    });
    const client = await dial(harness.port);
    const all = Array.from(
      { length: 50 },
      (_, i) =>
        `POST /models/default/digits/${i} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc`,
    );
    client.socket.write(all.join(''));
    const text = await client.until(/<\/49>/);
    const order = [...text.matchAll(/<\/(\d+)>/g)].map((match) => Number(match[1]));
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
    client.socket.destroy();
  });

  test('thousands of small requests in one write do not overflow the stack', async () => {
    await harness.serve((_, response) => response.end());
    const client = await dial(harness.port);
    client.socket.write('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(5000));
    client.socket.write('GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    const text = await client.closed;
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(5001);
  });

  test('events of a stream arrive one by one, before the stream has ended', async () => {
    let next = (): void => {};
    await harness.serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      let n = 0;
      next = () => response.write(`data: ${(n += 1)}\n\n`);
      next();
    });
    const sent = request({ port: harness.port, path: PATH, agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    for (let i = 1; i <= 5; i += 1) {
      const [piece] = (await once(response, 'data')) as [Buffer];
      expect(piece.toString()).toBe(`data: ${i}\n\n`);
      next();
    }
    sent.destroy();
  });

  test('a caller that leaves in the middle of a stream ends it at the instance', async () => {
    const left = Promise.withResolvers<void>();
    await harness.serve((_, response) => {
      response.write('first');
      response.on('close', () => left.resolve());
    });
    const client = await dial(harness.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until(/first/);
    client.socket.destroy();
    await left.promise;
  });

  test('an instance that breaks off in the middle gives the caller an end that is no end', async () => {
    let breakOff = (): void => {};
    await harness.serve((_, response) => {
      response.write('first');
      breakOff = () => response.socket?.destroy();
    });
    const client = await dial(harness.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until(/first/);
    breakOff();
    const text = await client.closed;
    expect(text).toMatch(/first/);
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  test('an instance that breaks off before it answers gives 502 with a code', async () => {
    await harness.serve((incoming) => incoming.socket.destroy());
    const answer = await call(harness.port, PATH, { body: 'x' });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'instance_lost', status: 502 });
  });

  test('a slow reader holds back the instance', async () => {
    let written = 0;
    const size = 64 * 1024;
    await harness.serve((incoming, response) => {
      if (incoming.url === '/small') {
        response.end('small');
        return;
      }
      const piece = Buffer.alloc(size);
      const more = (): void => {
        while (written < 50_000_000) {
          written += size;
          if (!response.write(piece)) {
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const client = await dial(harness.port);
    client.socket.pause();
    client.socket.write(
      'GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    );
    await untilStill(
      () => written,
      () => call(harness.port, '/models/default/digits/small'),
    );
    expect(written).toBeLessThan(30_000_000);
    client.socket.resume();
    await client.closed;
    expect(written).toBeGreaterThanOrEqual(50_000_000);
  });

  test('100-continue: asked for only when somebody reads the body', async () => {
    await harness.serve(async (incoming, response) => {
      const body = await buffer(incoming);
      response.end(`${body.toString()} ${incoming.headers.expect}`);
    });
    const client = await dial(harness.port);
    client.socket.write(
      'POST /models/default/digits/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
    );
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
    client.socket.write('body');
    await client.until(/body undefined/);
    client.socket.write(
      'POST /models/default/nothing/ HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
    );
    const text = await client.closed;
    expect(text.match(/100 Continue/g)).toHaveLength(1);
    expect(text).toMatch(/HTTP\/1\.1 404/);
  });

  test('WebSocket goes through, both ways', async () => {
    const instance = await harness.serve((_, response) => response.end());
    const sockets = new WebSocketServer({ server: instance.server });
    sockets.on('connection', (socket) => {
      socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`));
    });
    const client = new WebSocket(`ws://127.0.0.1:${harness.port}${PATH}`);
    await once(client, 'open');
    for (const word of ['a', 'b'.repeat(100_000)]) {
      client.send(word);
      const [data] = (await once(client, 'message')) as [Buffer];
      expect(data.toString()).toBe(`echo ${word}`);
    }
    client.close();
    await once(client, 'close');
    sockets.close();
  });

  test('HTTP/1.0 callers get neither chunks nor an endless connection', async () => {
    await harness.serve((_, response) => {
      response.write('a');
      response.end('b');
    });
    const client = await dial(harness.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.0\r\n\r\n');
    const text = await client.closed;
    expect(text).toMatch(/\r\n\r\nab$/);
    expect(text).not.toMatch(/chunked/i);
  });

  test('HEAD, 204 and 304 have no body, whatever their fields say', async () => {
    await harness.serve((incoming, response) => {
      response.statusCode = Number(incoming.url?.slice(1));
      if (incoming.method === 'HEAD') response.setHeader('Content-Length', '5');
      response.end();
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const base = '/models/default/digits';
    expect(await call(harness.port, `${base}/200`, { method: 'HEAD', agent })).toMatchObject({
      status: 200,
      body: '',
    });
    expect(await call(harness.port, `${base}/204`, { agent })).toMatchObject({
      status: 204,
      body: '',
    });
    expect(await call(harness.port, `${base}/304`, { agent })).toMatchObject({
      status: 304,
      body: '',
    });
    agent.destroy();
  });

  test('a response that ends with its connection is given a proper end', async () => {
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nwithout length'));
      socket.on('end', () => socket.end());
    });
    await harness.publish(makeModel(), instance.port);
    const answer = await call(harness.port, PATH);
    expect(answer).toMatchObject({ status: 200, body: 'without length' });
    expect(answer.headers['transfer-encoding']).toBe('chunked');
  });

  test('a response without length of an instance that was killed in the middle is cut, not completed', async () => {
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () => {
        instance.server.close();
        socket.end('HTTP/1.0 200 OK\r\n\r\npart one of two');
      });
    });
    await harness.publish(makeModel(), instance.port);
    const client = await dial(harness.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    const text = await client.closed;
    expect(text).toMatch(/part one of two/);
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  test('informational heads without end give 502, and those that come say no length', async () => {
    const instance = await harness.startBareInstance((socket) => {
      const hint = 'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n';
      socket.once('data', () => socket.write(hint.repeat(1000)));
      socket.on('end', () => socket.destroy());
      socket.on('error', () => {});
    });
    await harness.publish(makeModel(), instance.port);
    const client = await dial(harness.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    const text = await client.until(/HTTP\/1\.1 502 [^]*instance_lost/);
    expect(text.match(/103 Early Hints/g)).toHaveLength(16);
    expect(text.split('502')[0]).not.toMatch(/content-length/i);
    client.socket.destroy();
  });

  test('a 204 says no length, whatever the instance says', async () => {
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () =>
        socket.write('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'),
      );
      socket.on('end', () => socket.end());
    });
    await harness.publish(makeModel(), instance.port);
    const answer = await call(harness.port, PATH);
    expect(answer.status).toBe(204);
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  test.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello'],
    ['HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'],
    ['HTTP/1.1 OK\r\n\r\n'],
    ['ICY 200 OK\r\n\r\n'],
    ['HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['HTTP/1.1 101 Switching\r\n\r\n'],
  ])('an instance that answers %j gives 502', async (bytes) => {
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () => socket.end(bytes));
      socket.on('error', () => {});
    });
    await harness.publish(makeModel(), instance.port);
    expect((await call(harness.port, PATH)).status).toBe(502);
  });
});

describe('time limits', () => {
  /** A data plane whose time only the test makes pass. */
  async function serveStill(handler: RequestListener, limits: object): Promise<StillHarness> {
    const still = await startStill();
    harness.teardown(() => still.close());
    const { port } = await harness.startInstance(handler);
    const timeouts = { hold: 1000, run: 1000, idle: 0, drain: 0, ...limits };
    const models = [makeModel({ revisions: [makeRevision({ timeouts })] })];
    still.publisher.update({ models, instances: [makeInstance(port)] });
    await still.activator.ready;
    return still;
  }

  test('run: an instance that does not answer gives 504 run_timeout, and is left', async () => {
    const asked = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const still = await serveStill(
      (incoming) => {
        incoming.socket.on('close', () => left.resolve());
        asked.resolve();
      },
      { run: 50 },
    );
    const answering = call(still.port, PATH);
    await asked.promise;
    still.clock.advance(100);
    const answer = await answering;
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'run_timeout' });
    await left.promise;
  });

  test('idle: a stream that stalls is cut without a valid end', async () => {
    const still = await serveStill((_, response) => response.write('first'), { idle: 50 });
    const client = await dial(still.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    await client.until(/first/);
    still.clock.advance(100);
    const text = await client.closed;
    expect(text).toMatch(/first/);
    expect(text).not.toMatch(/\r\n0\r\n/);
  });

  test('total: a stream that goes on is cut when the time of all is over', async () => {
    let more = (): unknown => undefined;
    const still = await serveStill((_, response) => (more = () => response.write('more,'))(), {
      idle: 60,
      total: 200,
    });
    const client = await dial(still.port);
    client.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    for (const times of [1, 2, 3, 4]) {
      await client.until(new RegExp(`(more,[^]*){${times}}`));
      still.clock.advance(50);
      more();
    }
    expect(await client.closed).not.toMatch(/\r\n0\r\n/);
  });
});
