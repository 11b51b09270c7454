import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeModel, makeRevision, startHarness } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { ask, openSession } from './client.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  fieldBlock,
  type Frame,
  frame,
  GOAWAY,
  HEADERS,
  openRaw,
  PING,
  type RawClient,
  requestFields,
  RST_STREAM,
  SETTINGS,
} from './frames.ts';

const harness = useHarness();
let raw: RawClient;
let seen: IncomingMessage[];

beforeEach(async () => {
  seen = [];
  const instance = await harness.startInstance((incoming, response) => {
    seen.push(incoming);
    incoming.resume();
    incoming.once('end', () => response.end('served'));
  });
  const model = makeModel({ revisions: [makeRevision({ concurrency: 0 })] });
  await harness.publish(model, instance.port);
  raw = await openRaw(harness.port);
});

afterEach(() => {
  raw.socket.destroy();
});

/** What the instance is told besides the caller's fields. */
const OURS = /^(host|traceparent|x-forwarded-(for|proto|host))$/;

const PSEUDO: readonly Field[] = requestFields('/models/default/digits/x');

/** The request line of a good request, with some of it replaced; undefined: left out. */
function withPseudo(change: Record<string, string | undefined>): Field[] {
  return PSEUDO.flatMap(([name, value]) => {
    const now = name in change ? change[name] : value;
    return now === undefined ? [] : [[name, now] as const];
  });
}

/** The status, or the code of the reset as text, or how the connection ended. */
async function outcome(stream: number): Promise<string> {
  const ends = (each: Frame): boolean =>
    (each.stream === stream && (each.type === RST_STREAM || each.type === HEADERS)) ||
    each.type === GOAWAY;
  const found = await raw.until(ends);
  if (!found) return 'closed';
  if (found.type === GOAWAY) return `goaway ${found.payload.readUInt32BE(4)}`;
  return found.type === RST_STREAM ? `reset ${found.payload.readUInt32BE(0)}` : statusOf(found);
}

/** node:http2 writes `:status` first, by an index of HPACK's static table or as a literal with that name. */
function statusOf({ payload }: Frame): string {
  const known = ['200', '204', '206', '304', '400', '404', '500'];
  const index = payload[0]! & 0x7f;
  if (payload[0]! >= 0x80) return known[index - 8] ?? `index ${index}`;
  return 'literal';
}

function send(fields: readonly Field[], body?: Buffer): void {
  const flags = END_HEADERS | (body === undefined ? END_STREAM : 0);
  raw.write(frame(HEADERS, flags, 1, fieldBlock(fields)));
  if (body !== undefined) raw.write(frame(DATA, END_STREAM, 1, body));
}

describe('what HTTP/1.1 would read as something else', () => {
  const vectors: [string, readonly Field[], Buffer?][] = [
    ['a name in upper case', [...PSEUDO, ['X', 'a']]],
    ['transfer-encoding', [...PSEUDO, ['transfer-encoding', 'chunked']], Buffer.from('0\r\n\r\n')],
    ['connection', [...PSEUDO, ['connection', 'content-length']]],
    ['keep-alive', [...PSEUDO, ['keep-alive', '5']]],
    ['proxy-connection', [...PSEUDO, ['proxy-connection', 'close']]],
    ['upgrade', [...PSEUDO, ['upgrade', 'websocket']]],
    ['te other than trailers', [...PSEUDO, ['te', 'gzip']]],
    [
      'a body longer than content-length',
      [...PSEUDO, ['content-length', '1']],
      Buffer.from('abGET / HTTP/1.1'),
    ],
    ['a body shorter than content-length', [...PSEUDO, ['content-length', '9']], Buffer.from('ab')],
    ['content-length without a body', [...PSEUDO, ['content-length', '9']]],
    [
      'two lengths',
      [...PSEUDO, ['content-length', '2'], ['content-length', '3']],
      Buffer.from('ab'),
    ],
    ['a length with a sign', [...PSEUDO, ['content-length', '+2']], Buffer.from('ab')],
    ['a list of lengths', [...PSEUDO, ['content-length', '2, 2']], Buffer.from('ab')],
    ['host against :authority', [...PSEUDO, ['host', 'evil']]],
    ['two hosts', [...PSEUDO, ['host', 'h'], ['host', 'h']]],
    ['no host at all', withPseudo({ ':authority': undefined })],
    ['an :authority with a user', withPseudo({ ':authority': 'user@h' })],
    ['an :authority with a path', withPseudo({ ':authority': 'h/evil' })],
    ['a line break in :authority', withPseudo({ ':authority': 'h\r\nx: y' })],
    ['a request line in :path', withPseudo({ ':path': '/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /' })],
    ['a space in :path', withPseudo({ ':path': '/a b' })],
    ['a version in :path', withPseudo({ ':path': '/a HTTP/1.1' })],
    ['an absolute :path', withPseudo({ ':path': 'http://evil/' })],
    ['an empty :path', withPseudo({ ':path': '' })],
    ['no :path', withPseudo({ ':path': undefined })],
    ['a :path of another method than OPTIONS', withPseudo({ ':path': '*' })],
    ['a space in :method', withPseudo({ ':method': 'GET / HTTP/1.1' })],
    ['an empty :method', withPseudo({ ':method': '' })],
    ['no :method', withPseudo({ ':method': undefined })],
    ['no :scheme', withPseudo({ ':scheme': undefined })],
    ['another :scheme', withPseudo({ ':scheme': 'ftp' })],
    ['CONNECT', withPseudo({ ':method': 'CONNECT', ':path': undefined, ':scheme': undefined })],
    ['two :paths', [...PSEUDO, [':path', '/models/default/digits/y']]],
    ['an unknown pseudo-header field', [...PSEUDO, [':evil', 'a']]],
    ['a pseudo-header field after others', [['x', 'a'], ...PSEUDO]],
    ['the :status of a response', [...PSEUDO, [':status', '200']]],
  ];

  test.each(vectors)('refused: %s', async (_, fields, body) => {
    send(fields, body);
    expect(await outcome(1)).not.toBe('200');
    // Nothing of it becomes a request of its own, then or later.
    raw.write(frame(HEADERS, END_HEADERS | END_STREAM, 3, fieldBlock(PSEUDO)));
    const later = await outcome(3);
    if (later === '200') expect(seen.at(-1)?.url).toBe('/x');
    const whole = seen.filter(({ complete }) => complete);
    expect(whole.length).toBe(later === '200' ? 1 : 0);
  });

  /** nghttp2 leaves such fields out, and node:http2 offers no way to hear of it. */
  const dropped: [string, readonly Field[]][] = [
    ['a line break in a value', [...PSEUDO, ['x', 'a\r\nhost: evil']]],
    ['a bare LF in a value', [...PSEUDO, ['x', 'a\nhost: evil']]],
    ['a bare CR in a value', [...PSEUDO, ['x', 'a\rb']]],
    ['a NUL in a value', [...PSEUDO, ['x', 'a\0b']]],
    ['a control byte in a value', [...PSEUDO, ['x', 'a\x01b']]],
    ['a line break in a name', [...PSEUDO, ['x\r\ny', 'a']]],
    ['a colon in a name', [...PSEUDO, ['x: y', 'a']]],
    ['a colon at the end of a name', [...PSEUDO, ['transfer-encoding:', 'chunked']]],
    ['a space in a name', [...PSEUDO, ['x y', 'a']]],
    ['an empty name', [...PSEUDO, ['', 'a']]],
  ];

  test.each(dropped)('never arrives: %s', async (_, fields) => {
    send(fields);
    await outcome(1);
    for (const { rawHeaders } of seen) {
      const names = rawHeaders.filter((__, i) => i % 2 === 0).map((name) => name.toLowerCase());
      expect(names.filter((name) => !OURS.test(name))).toEqual([]);
    }
    expect(seen.length).toBeLessThanOrEqual(1);
  });

  test('trailers may not frame, route or authenticate', async () => {
    const fields: Field[] = [['content-length', '0']];
    raw.write(
      frame(HEADERS, END_HEADERS, 1, fieldBlock(PSEUDO)),
      frame(DATA, 0, 1, Buffer.from('ab')),
      frame(HEADERS, END_HEADERS | END_STREAM, 1, fieldBlock(fields)),
    );
    expect(await outcome(1)).not.toBe('200');
    expect(seen.filter(({ complete }) => complete)).toEqual([]);
  });

  test('a reset in the middle of a body, even with NO_ERROR, is no end of it', async () => {
    raw.write(
      frame(HEADERS, END_HEADERS, 1, fieldBlock(PSEUDO)),
      frame(DATA, 0, 1, Buffer.from('ab')),
    );
    await expect.poll(() => seen.length).toBe(1);
    raw.write(frame(RST_STREAM, 0, 1, Buffer.alloc(4)));
    await new Promise((resolve) => seen[0]?.once('close', resolve).on('error', () => {}));
    expect(seen[0]?.complete).toBe(false);
  });
});

describe('what is within the rules', () => {
  test.each([
    ['host beside the same :authority', [...PSEUDO, ['host', 'H']]],
    ['host instead of :authority', [...withPseudo({ ':authority': undefined }), ['host', 'h']]],
    ['bytes above ASCII', [...PSEUDO, ['x', 'é']]],
    ['te: trailers', [...PSEUDO, ['te', 'trailers']]],
    ['https', withPseudo({ ':scheme': 'https' })],
    [
      'OPTIONS *',
      [...withPseudo({ ':method': 'OPTIONS', ':path': '*' }), ['rouse-model', 'digits']],
    ],
  ] as [string, Field[]][])('accepted: %s', async (_, fields) => {
    send(fields);
    expect(await outcome(1)).toBe('200');
  });
});

describe('limits', () => {
  test('a head that is too large: 431, and the connection goes on', async () => {
    const session = await openSession(harness.port);
    const path = '/models/default/digits/x';
    const large = await ask(session, { ':path': path, 'x-large': 'x'.repeat(40_000) });
    expect(large.status).toBe(431);
    expect((await ask(session, { ':path': path })).body).toBe('served');
    session.destroy();
  });

  test('a flood of CONTINUATION frames ends the connection', async () => {
    raw.write(frame(HEADERS, 0, 1, fieldBlock(PSEUDO)));
    const more = frame(CONTINUATION, 0, 1, fieldBlock([['x', 'y'.repeat(1000)]]));
    for (let i = 0; i < 200 && !raw.socket.destroyed; i += 1) raw.write(more);
    await raw.closed;
    expect(seen).toEqual([]);
  });

  test.each([
    ['SETTINGS', () => frame(SETTINGS, 0, 0)],
    ['PING', () => frame(PING, 0, 0, Buffer.alloc(8))],
  ])('a flood of %s without reading the answers ends the connection', async (_, make) => {
    raw.socket.pause();
    const many = Buffer.concat(Array.from({ length: 1000 }, make));
    for (let i = 0; i < 2000 && raw.socket.writable; i += 1) {
      if (raw.socket.write(many)) continue;
      const drained = new Promise<void>((resolve) => raw.socket.once('drain', resolve));
      await Promise.race([drained, raw.closed]);
    }
    raw.socket.resume();
    await raw.closed;
  });

  test('more streams than are allowed are refused, the others run', async () => {
    const ids = Array.from({ length: 1010 }, (_, i) => 1 + 2 * i);
    raw.write(...ids.map((id) => frame(HEADERS, END_HEADERS, id, fieldBlock(PSEUDO))));
    const refused = (): number =>
      raw.frames.filter(({ type, payload }) => type === RST_STREAM && payload.readUInt32BE(0) === 7)
        .length;
    await expect.poll(refused).toBe(10);
    raw.write(...ids.slice(0, 1000).map((id) => frame(DATA, END_STREAM, id)));
    const answered = (): number => raw.frames.filter(({ type }) => type === HEADERS).length;
    await expect.poll(answered).toBe(1000);
  });

  test('streams count as connections: beyond these they are refused, and one that ends makes room', async () => {
    const small = await startHarness({ connections: 5 });
    harness.teardown(() => small.close());
    small.publisher.update({ models: [makeModel()] });
    await small.activator.ready;
    const clients = await Promise.all([openRaw(small.port), openRaw(small.port)]);
    const [first, second] = clients;
    const open = (id: number): Buffer =>
      frame(HEADERS, END_HEADERS | END_STREAM, id, fieldBlock(PSEUDO));
    first.write(open(1), open(3), open(5));
    const waiting = (): Promise<number> => small.gauge('rouse_queue_depth');
    await expect.poll(waiting).toBe(3);
    second.write(open(1), open(3), open(5));
    const refused = await second.until(({ type }) => type === RST_STREAM);
    expect(refused).toMatchObject({ stream: 5, payload: Buffer.from([0, 0, 0, 7]) });
    expect(await waiting()).toBe(5);
    first.write(frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 8])));
    await expect.poll(waiting).toBe(4);
    second.write(open(7));
    await expect.poll(waiting).toBe(5);
    for (const { socket } of clients) socket.destroy();
  });

  test('settings are acknowledged, and a ping is answered', async () => {
    raw.write(frame(PING, 0, 0, Buffer.from('rouse123')));
    const ping = await raw.until(({ type, flags }) => type === PING && flags === ACK);
    expect(ping?.payload.toString()).toBe('rouse123');
  });
});
