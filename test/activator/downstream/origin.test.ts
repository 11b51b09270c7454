import { describe, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { makeProxyHeader, makeProxyHeaderFrom } from '../entry/make-proxy-header.ts';
import {
  call,
  dial,
  type Harness,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from '../harness.ts';

/** The tests call from 127.0.0.1. */
const TRUSTED = ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'];
const PATH = '/models/default/digits/x';

const teardown = useTeardown();

async function start(entry: Parameters<typeof startHarness>[1] = {}): Promise<Harness> {
  const harness = await startHarness({}, entry);
  teardown(() => harness.close());
  const instance = await startInstance((incoming, outgoing) => {
    outgoing.end(JSON.stringify({ ...incoming.headers, lines: incoming.rawHeaders.length / 2 }));
  });
  teardown(() => instance.close());
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  return harness;
}

/** The head that the instance saw. */
async function seen(harness: Harness, headers: Record<string, string>) {
  const { status, body } = await call(harness.port, PATH, { headers });
  expect(status, body).toBe(200);
  return JSON.parse(body) as Record<string, string | undefined>;
}

function about(head: Record<string, string | undefined>): string[] {
  const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded'];
  return names.map((name) => head[name] ?? '');
}

describe('from a stranger', () => {
  test('nothing is believed, and nothing of it reaches the instance', async () => {
    const harness = await start();
    const head = await seen(harness, {
      host: 'digits.default.localhost',
      'x-forwarded-for': '198.51.100.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=198.51.100.1',
    });
    expect(about(head)).toEqual(['127.0.0.1', 'http', 'digits.default.localhost', '']);
  });

  test('what nobody could understand is no reason to refuse it', async () => {
    const harness = await start({ trustedProxies: ['10.0.0.0/8'] });
    const head = await seen(harness, { forwarded: '???', 'x-forwarded-for': '???' });
    expect(about(head)[0]).toBe('127.0.0.1');
  });
});

describe('from a trusted proxy', () => {
  test.each([
    ['nothing', {}, ['127.0.0.1', 'http', 'h', '']],
    [
      'an address',
      { 'x-forwarded-for': '198.51.100.1' },
      ['198.51.100.1, 127.0.0.1', 'http', 'h', ''],
    ],
    [
      'what the caller made up is passed on',
      { 'x-forwarded-for': 'made up, 198.51.100.1, 10.1.1.1' },
      ['made up, 198.51.100.1, 10.1.1.1, 127.0.0.1', 'http', 'h', ''],
    ],
    [
      'protocol and host',
      {
        'x-forwarded-for': '198.51.100.1',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'a.example:8443',
      },
      ['198.51.100.1, 127.0.0.1', 'https', 'a.example:8443', ''],
    ],
    [
      'Forwarded',
      { forwarded: 'for="[2001:db8::1]:99";proto=https;host=a.example' },
      [
        '2001:db8::1, 127.0.0.1',
        'https',
        'a.example',
        'for="[2001:db8::1]:99";proto=https;host=a.example, for=127.0.0.1;host="h";proto=http',
      ],
    ],
    [
      'Forwarded of several, of which the caller wrote the first',
      { forwarded: 'for=9.9.9.9;proto=wss, for=198.51.100.1;proto=https, for=10.1.1.1' },
      [
        '198.51.100.1, 10.1.1.1, 127.0.0.1',
        'https',
        'h',
        'for=9.9.9.9;proto=wss, for=198.51.100.1;proto=https, for=10.1.1.1, for=127.0.0.1;host="h";proto=http',
      ],
    ],
    [
      'both, of one mind',
      { forwarded: 'for=198.51.100.1', 'x-forwarded-for': '198.51.100.1:80' },
      [
        '198.51.100.1:80, 127.0.0.1',
        'http',
        'h',
        'for=198.51.100.1, for=127.0.0.1;host="h";proto=http',
      ],
    ],
  ])('%s', async (_name, headers, expected) => {
    const harness = await start({ trustedProxies: TRUSTED });
    expect(about(await seen(harness, { host: 'h', ...headers }))).toEqual(expected);
  });

  test.each([
    ['an address that is none', { 'x-forwarded-for': '198.51.100.1, nobody' }, 'malformed'],
    ['an empty entry', { 'x-forwarded-for': '198.51.100.1,' }, 'malformed'],
    [
      'a chain without end',
      { 'x-forwarded-for': Array(40).fill('10.0.0.1').join(',') },
      'malformed',
    ],
    ['a protocol of its own', { 'x-forwarded-proto': 'gopher' }, 'malformed'],
    ['a host that is none', { 'x-forwarded-host': 'a b' }, 'malformed'],
    ['a Forwarded that is none', { forwarded: 'for=' }, 'malformed'],
    ['a node that is none', { forwarded: 'for="2001:db8::1"' }, 'malformed'],
    ['a host in quotes that is none', { forwarded: 'for=10.0.0.1;host="a\\"b"' }, 'malformed'],
    [
      'two callers',
      { forwarded: 'for=198.51.100.1', 'x-forwarded-for': '198.51.100.2' },
      'name different callers',
    ],
  ])('%s is refused', async (_name, headers, why) => {
    const harness = await start({ trustedProxies: TRUSTED });
    const answer = await call(harness.port, PATH, { headers });
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(why);
  });

  test('a host that it names does not route', async () => {
    const harness = await start({ trustedProxies: TRUSTED });
    const headers = { host: 'other', 'x-forwarded-host': 'digits.default.localhost' };
    expect((await call(harness.port, '/', { headers })).status).toBe(404);
  });

  test('each request of a connection has its own caller', async () => {
    const harness = await start({ trustedProxies: TRUSTED });
    const caller = await dial(harness.port);
    const ask = (who: string): string =>
      `GET ${PATH} HTTP/1.1\r\nHost: h\r\n${who === '' ? '' : `X-Forwarded-For: ${who}\r\n`}\r\n`;
    caller.socket.write(ask('198.51.100.1') + ask('198.51.100.1') + ask('') + ask('198.51.100.2'));
    const text = await caller.until(/198\.51\.100\.2/);
    const all = Array.from(text.matchAll(/"x-forwarded-for":"([^"]*)"/g), ([, each]) => each);
    expect(all).toEqual([
      '198.51.100.1, 127.0.0.1',
      '198.51.100.1, 127.0.0.1',
      '127.0.0.1',
      '198.51.100.2, 127.0.0.1',
    ]);
    caller.socket.destroy();
  });
});

describe('with the PROXY protocol', () => {
  const REQUEST = Buffer.from(`GET ${PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  const whole = Buffer.concat([makeProxyHeaderFrom('198.51.100.7'), REQUEST]);

  async function send(harness: Harness, ...pieces: Buffer[]): Promise<string> {
    const caller = await dial(harness.port);
    for (const piece of pieces) {
      // A turn of the loop between two writes: they arrive apart, mostly.
      await new Promise((next) => caller.socket.write(piece, next));
      await new Promise((next) => setImmediate(next));
    }
    const text = await caller.closed;
    caller.socket.destroy();
    return text;
  }

  test('the address of its header is the caller, wherever the bytes are split', async () => {
    const harness = await start({ proxyProtocol: true, trustedProxies: ['127.0.0.1'] });
    for (let at = 1; at < whole.length; at += 1) {
      const text = await send(harness, whole.subarray(0, at), whole.subarray(at));
      expect(text, `split at ${at}`).toContain('"x-forwarded-for":"198.51.100.7"');
    }
  });

  test('byte by byte', async () => {
    const harness = await start({ proxyProtocol: true, trustedProxies: ['127.0.0.1'] });
    const pieces = Array.from(whole, (byte) => Buffer.from([byte]));
    expect(await send(harness, ...pieces)).toContain('"x-forwarded-for":"198.51.100.7"');
  });

  test('a proxy that speaks for itself is the caller', async () => {
    const harness = await start({ proxyProtocol: true, trustedProxies: ['127.0.0.1'] });
    const local = makeProxyHeader(0x20, 0, Buffer.alloc(0));
    expect(await send(harness, local, REQUEST)).toContain('"x-forwarded-for":"127.0.0.1"');
  });

  test('who speaks for itself on this machine needs no trust, and is believed nothing else', async () => {
    const harness = await start({ proxyProtocol: true, trustedProxies: ['10.0.0.0/8'] });
    const request = Buffer.from(
      `GET ${PATH} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.5\r\nConnection: close\r\n\r\n`,
    );
    const local = makeProxyHeader(0x20, 0, Buffer.alloc(0));
    expect(await send(harness, local, request)).toContain('"x-forwarded-for":"127.0.0.1"');
  });

  test('another proxy behind it is believed if it is trusted, and nobody else', async () => {
    const harness = await start({ proxyProtocol: true, trustedProxies: TRUSTED });
    const request = Buffer.from(
      `GET ${PATH} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.5\r\nConnection: close\r\n\r\n`,
    );
    const inner = await send(harness, makeProxyHeaderFrom('10.1.1.1'), request);
    expect(inner).toContain('"x-forwarded-for":"203.0.113.5, 10.1.1.1"');
    const stranger = await send(harness, makeProxyHeaderFrom('198.51.100.7'), request);
    expect(stranger).toContain('"x-forwarded-for":"198.51.100.7"');
  });

  test.each([
    ['no header', REQUEST, ['127.0.0.1'], 'proxy_header'],
    [
      'version 1',
      Buffer.concat([Buffer.from('PROXY UNKNOWN\r\n'), REQUEST]),
      ['127.0.0.1'],
      'proxy_header',
    ],
    ['an untrusted peer', whole, ['10.0.0.0/8'], 'proxy_untrusted'],
    ['half a header', whole.subarray(0, 20), ['127.0.0.1'], 'left'],
  ])('%s: closed without an answer, and counted', async (_name, bytes, trustedProxies, reason) => {
    const harness = await start({ proxyProtocol: true, trustedProxies });
    const caller = await dial(harness.port);
    caller.socket.end(bytes);
    expect(await caller.closed).toBe('');
    caller.socket.destroy();
    const counted = `rouse_connection_refusals_total{reason="${reason}"} 1`;
    await expect.poll(() => harness.scrape()).toContain(counted);
  });
});

describe('a trace', () => {
  const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';

  test('that the caller has begun goes on as it came', async () => {
    const head = await seen(await start(), { traceparent: TRACE, tracestate: 'a=1,b=2' });
    expect([head['traceparent'], head['tracestate']]).toEqual([TRACE, 'a=1,b=2']);
  });

  test.each([
    ['none', {}],
    ['a malformed one', { traceparent: TRACE.toUpperCase(), tracestate: 'a=1' }],
    ['a state alone', { tracestate: 'a=1' }],
  ])('begins here when there is %s', async (_name, headers) => {
    const harness = await start();
    const first = await seen(harness, headers);
    const second = await seen(harness, headers);
    expect(first['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(first['tracestate']).toBeUndefined();
    expect(second['traceparent']).not.toBe(first['traceparent']);
  });

  test('begins here when there are two', async () => {
    const harness = await start();
    const caller = await dial(harness.port);
    const line = `traceparent: ${TRACE}\r\n`;
    caller.socket.write(
      `GET ${PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${line}${line}\r\n`,
    );
    const text = await caller.closed;
    caller.socket.destroy();
    expect(text).toMatch(/"traceparent":"00-[0-9a-f]{32}-[0-9a-f]{16}-01"/);
    expect(text).not.toContain(TRACE);
  });
});
