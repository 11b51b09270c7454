import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connect as connectTls,
  type ConnectionOptions,
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
  type TLSSocket,
} from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHandshakes } from '#activator/entry/tls.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import {
  dial,
  type Harness,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from '../harness.ts';
import { makeProxyHeaderFrom } from './make-proxy-header.ts';

/** Callers that break off, split, mix up or repeat what comes before the first request. */

const A = makeCertificate(['a.test']);
const B = makeCertificate(['a.test']);
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n';

let folder: string;
let harness: Harness;
let instance: Awaited<ReturnType<typeof startInstance>>;
let bodies: Promise<string>[];
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-tls-'));
  await put(A);
  harness = await startHarness({}, { tls: [files()] });
  bodies = [];
  instance = await startInstance((incoming, response) => {
    const whole = new Promise<string>((resolve) => {
      let text = '';
      incoming.on('data', (piece) => (text += String(piece)));
      incoming.on('end', () => resolve(text));
      incoming.on('error', () => resolve('cut'));
    });
    bodies.push(whole);
    void whole.then((text) => response.end(text));
  });
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await harness.close();
  await instance.close();
  await rm(folder, { recursive: true });
});

function files() {
  return { certificate: join(folder, 'a.pem'), key: join(folder, 'a.key') };
}

async function put({ certificate, key }: typeof A): Promise<void> {
  await writeFile(files().certificate, certificate);
  await writeFile(files().key, key);
}

async function shakeHands(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    servername: 'a.test',
    rejectUnauthorized: false,
    ...options,
  });
  closing.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** What comes until it fits. */
async function read(socket: Socket, fits: RegExp): Promise<string> {
  let text = '';
  for await (const piece of socket) {
    text += String(piece);
    if (fits.test(text)) break;
  }
  return text;
}

/** A hop before the port that passes what callers send as `pass` says; `first` goes before it. */
async function startHop(
  pass: (chunk: Buffer, to: Socket, from: Socket) => void,
  first: Buffer = Buffer.alloc(0),
  port = harness.port,
): Promise<number> {
  const hop = createServer((from) => {
    const to = connect({ port, host: '127.0.0.1', noDelay: true });
    closing.push(
      () => to.destroy(),
      () => from.destroy(),
    );
    for (const socket of [from, to]) socket.on('error', () => {});
    if (first.length > 0) pass(first, to, from);
    from.on('data', (chunk) => pass(chunk, to, from));
    to.pipe(from);
    from.on('close', () => to.destroy());
    to.on('close', () => from.destroy());
  });
  hop.listen(0, '127.0.0.1');
  await once(hop, 'listening');
  closing.push(() => hop.close());
  return (hop.address() as AddressInfo).port;
}

function byteByByte(chunk: Buffer, to: Socket): void {
  for (const byte of chunk) to.write(Buffer.from([byte]));
}

test('a handshake and a request that come byte by byte are served', async () => {
  const socket = await shakeHands(await startHop(byteByByte));
  for (const byte of HEALTH) socket.write(byte);
  expect(await read(socket, /ok\n/)).toMatch(/^HTTP\/1\.1 200 /);
});

test('so is a PROXY header before it', async () => {
  const behind = await startHarness(
    {},
    {
      tls: [files()],
      trustedProxies: ['127.0.0.0/8'],
      proxyProtocol: true,
    },
  );
  closing.push(() => behind.close());
  behind.publisher.update({ models: [] });
  await behind.activator.ready;
  const header = makeProxyHeaderFrom('192.0.2.7');
  const socket = await shakeHands(await startHop(byteByByte, header, behind.port));
  socket.write(HEALTH);
  expect(await read(socket, /ok\n/)).toMatch(/^HTTP\/1\.1 200 /);
});

test('callers that break off after any number of bytes leave nothing behind', async () => {
  let left = 0;
  const port = await startHop((chunk, to, from) => {
    to.write(chunk.subarray(0, left));
    left -= Math.min(left, chunk.length);
    if (left === 0) to.end(() => from.destroy());
  });
  for (let bytes = 1; bytes < 900; bytes += 11) {
    left = bytes;
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    const over = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.on('secureConnect', () => socket.write(HEALTH));
    await over;
  }
  await expect.poll(() => harness.gauge('rouse_client_connections')).toBe(0);
  const socket = await shakeHands(harness.port);
  socket.write(HEALTH);
  expect(await read(socket, /ok\n/)).toMatch(/^HTTP\/1\.1 200 /);
});

test.each(['x'.repeat(255), `${'x'.repeat(63)}.test`, 'a.test.', '*', 'constructor', '__proto__'])(
  'a caller that asks for %s is shown the first certificate, or refused',
  async (servername) => {
    const shown = await shakeHands(harness.port, { servername }).then(
      (socket) => String(socket.getPeerCertificate().subject.CN),
      () => 'refused',
    );
    expect(['a.test', 'refused']).toContain(shown);
    expect((await shakeHands(harness.port)).authorized).toBe(false);
  },
);

test('handshakes begun while certificates are exchanged end with one or the other', async () => {
  const shown: Promise<string>[] = [];
  for (let i = 0; i < 60; i += 1) {
    shown.push(
      shakeHands(harness.port).then((socket) => socket.getPeerX509Certificate()?.toString() ?? ''),
    );
    await put(i % 2 === 0 ? B : A);
    harness.activator.reload();
  }
  const all = new Set(await Promise.all(shown));
  for (const each of all) expect([A.certificate, B.certificate]).toContain(each);
});

test('a caller that asks for a new handshake again and again is cut off, others are served', async () => {
  const socket = await shakeHands(harness.port, { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' });
  const over = new Promise((resolve) => socket.on('close', resolve));
  let done = 0;
  const again = (): void => {
    socket.renegotiate({ rejectUnauthorized: false }, (error) => {
      if (error) return;
      done += 1;
      again();
    });
  };
  again();
  socket.resume();
  await over;
  expect(done).toBeLessThan(10);
  expect((await shakeHands(harness.port)).encrypted).toBe(true);
});

test('who agreed on one version of HTTP and speaks the other is understood or refused, not half of both', async () => {
  const speaksOld = await shakeHands(harness.port, { ALPNProtocols: ['h2'] });
  speaksOld.write(HEALTH);
  expect(await read(speaksOld, /ok\n/)).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nok\n$/);
  const agreed = await shakeHands(harness.port, { ALPNProtocols: ['http/1.1'] });
  const session = connectHttp2('https://a.test', { createConnection: () => agreed });
  closing.push(() => session.destroy());
  const stream = session.request({ ':path': '/healthz' });
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  expect(head[':status']).toBe(200);
});

test.each([
  ['of a length', 'Content-Length: 100\r\n\r\nhalf'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
])('a body %s that ends without close_notify is not whole', async (_, rest) => {
  let below: Socket | undefined;
  const port = await startHop((chunk, to) => {
    below = to;
    to.write(chunk);
  });
  const socket = await shakeHands(port);
  socket.write(`POST /models/default/digits/ HTTP/1.1\r\nHost: a\r\n${rest}`);
  await expect.poll(() => bodies.length).toBe(1);
  below?.end();
  expect(await bodies[0]).toBe('cut');
});

test('an instance whose answer without a length ends without close_notify has not answered', async () => {
  const known = getCACertificates('default');
  setDefaultCACertificates([A.certificate]);
  closing.push(() => setDefaultCACertificates(known));
  const plain = await startHarness();
  closing.push(() => plain.close());
  const server = createTlsServer({ cert: A.certificate, key: A.key }, (secure) => {
    secure.on('error', () => {});
    secure.once('data', () => secure.write('HTTP/1.1 200 OK\r\n\r\nhalf'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  let below: Socket | undefined;
  const inner = (server.address() as AddressInfo).port;
  const port = await startHop(
    (chunk, to, from) => {
      below = from;
      to.write(chunk);
    },
    undefined,
    inner,
  );
  const address = { node: 'test', host: '127.0.0.1', port, tls: true };
  plain.publisher.update({ models: [makeModel()], instances: [makeInstance(port, { address })] });
  await plain.activator.ready;
  const caller = await dial(plain.port);
  closing.push(() => caller.socket.destroy());
  caller.socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: a\r\n\r\n');
  await caller.until(/half/);
  below?.end();
  expect(await caller.closed).not.toContain('\r\n0\r\n\r\n');
});

test('a caller that comes again from the same port, before the end of the first was heard, is served', async () => {
  const handshakes = createHandshakes([files()]);
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    // As long as it is there, as the listener does.
    if (socket.remoteAddress !== undefined) accepted.push(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  // An address that nobody else has here, so that its ports are free.
  const from = { host: '127.0.0.1', localAddress: '127.7.7.7' };
  const first = connect({ port, ...from });
  await once(first, 'connect');
  const { localPort } = first;
  await expect.poll(() => accepted.length).toBe(1);
  first.resetAndDestroy();
  await once(first, 'close');
  const second = connectTls({
    port,
    ...from,
    localPort,
    rejectUnauthorized: false,
  } as ConnectionOptions);
  closing.push(() => second.destroy());
  await expect.poll(() => accepted.length).toBe(2);
  const secured = Promise.withResolvers<void>();
  const gone = new Promise((resolve) => accepted[0]?.once('close', resolve));
  accepted[0]?.on('error', () => {});
  handshakes.start(
    accepted[0]!,
    () => {},
    () => {},
  );
  handshakes.start(
    accepted[1]!,
    () => secured.resolve(),
    () => {},
  );
  await gone;
  await Promise.all([once(second, 'secureConnect'), secured.promise]);
});
