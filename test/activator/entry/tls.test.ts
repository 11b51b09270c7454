import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:https';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import pino from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate, type TestCertificate } from '#test/fixtures/certificate.ts';
import { useTeardown } from '#test/teardown.ts';
import {
  dial,
  type Harness,
  type Instance,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from '../harness.ts';

const ENCRYPTED_KEY = generateKeyPairSync('ed25519').privateKey.export({
  type: 'pkcs8',
  format: 'pem',
  cipher: 'aes-128-cbc',
  passphrase: 'secret',
});
const A = makeCertificate(['a.test', '*.wild.test']);
const B = makeCertificate(['b.test', 'exact.wild.test']);

let folder: string;
let harness: Harness;
let instance: Instance;
let logged: string[];
const teardown = useTeardown();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-tls-'));
  teardown(() => rm(folder, { recursive: true }));
  await put('a', A);
  await put('b', B);
  logged = [];
  const log = pino({ base: null }, { write: (line) => void logged.push(line) });
  harness = await startHarness({}, { tls: [filesOf('a'), filesOf('b')] }, log);
  teardown(() => harness.close());
  instance = await startInstance((incoming, outgoing) => {
    if (incoming.url === '/half') {
      outgoing.write('half');
      return;
    }
    const { headers, method } = incoming;
    if (method === 'POST') void collect(incoming).then((body) => outgoing.end(body));
    else outgoing.end(JSON.stringify(headers));
  });
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  teardown(() => instance.close());
});

function filesOf(name: string) {
  return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
}

async function put(name: string, { certificate, key }: TestCertificate): Promise<void> {
  const files = filesOf(name);
  await writeFile(files.certificate, certificate);
  await writeFile(files.key, key);
}

async function shakeHands(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port: harness.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...options,
  });
  teardown(() => void socket.destroy());
  await once(socket, 'secureConnect');
  // It is cut when the data plane closes.
  socket.on('error', () => {});
  return socket;
}

async function nameSeen(options: ConnectionOptions = {}): Promise<string> {
  const socket = await shakeHands(options);
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

/** Resolves when a new connection is shown this certificate. */
async function untilShown(certificate: TestCertificate): Promise<void> {
  const failed = await shakeHands({ servername: 'a.test' }).then(
    (socket) => socket.getPeerX509Certificate()?.toString() !== certificate.certificate,
    () => true,
  );
  if (failed) await untilShown(certificate);
}

async function ask(options: { body?: string; agent?: Agent; path?: string } = {}) {
  const sent = request({
    port: harness.port,
    host: '127.0.0.1',
    servername: 'a.test',
    path: options.path ?? '/models/default/digits/x',
    method: options.body === undefined ? 'GET' : 'POST',
    ca: A.certificate,
    agent: options.agent ?? false,
  });
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = await collect(response);
  return { status: response.statusCode, body, reused: sent.reusedSocket };
}

async function collect(stream: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

describe('a port with certificates', () => {
  test('serves requests by TLS, and the instance learns of it', async () => {
    const answer = await ask();
    expect(answer.status).toBe(200);
    const seen = JSON.parse(answer.body) as Record<string, string>;
    expect(seen['x-forwarded-proto']).toBe('https');
    expect(seen['x-forwarded-for']).toBe('127.0.0.1');
  });

  test('keeps connections, and carries large bodies both ways', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    teardown(() => agent.destroy());
    const body = 'x'.repeat(3_000_000);
    for (let i = 0; i < 3; i += 1) {
      const answer = await ask({ body, agent });
      expect(answer.body.length).toBe(body.length);
      expect(answer.reused).toBe(i > 0);
    }
  });

  test.each([
    ['a.test', 'a.test'],
    ['A.TEST', 'a.test'],
    ['b.test', 'b.test'],
    ['one.wild.test', 'a.test'],
    ['exact.wild.test', 'b.test'],
    ['two.labels.wild.test', 'a.test'],
    ['wild.test', 'a.test'],
    ['unknown.test', 'a.test'],
  ])('a caller that asks for %s is shown the certificate of %s', async (servername, name) => {
    expect(await nameSeen({ servername })).toBe(name);
  });

  test('a caller that names no host is shown the first', async () => {
    expect(await nameSeen()).toBe('a.test');
  });

  test('speaks no version before TLS 1.2', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await shakeHands({ minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
    }
    const old = shakeHands({
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await expect(old).rejects.toThrow(/protocol version|alert/);
  });

  test('agrees on HTTP, and with nobody who does not speak it', async () => {
    expect((await shakeHands({ ALPNProtocols: ['http/1.0'] })).alpnProtocol).toBe('http/1.0');
    expect((await shakeHands({ ALPNProtocols: ['http/1.1', 'h2'] })).alpnProtocol).toBe('h2');
    const socket = await shakeHands({ ALPNProtocols: ['spdy/3', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect((await shakeHands()).alpnProtocol).toBe(false);
    await expect(shakeHands({ ALPNProtocols: ['spdy/3'] })).rejects.toThrow(/alert/);
  });

  test('serves HTTP/2 to those who agree on it', async () => {
    const session = connectHttp2(`https://127.0.0.1:${harness.port}`, { ca: A.certificate });
    const stream = session.request({ ':path': '/models/default/digits/x' });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    let text = '';
    for await (const piece of stream) text += String(piece);
    session.close();
    expect(head[':status']).toBe(200);
    expect(JSON.parse(text)).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
    });
  });

  test('tells a caller that speaks plain HTTP', async () => {
    const caller = await dial(harness.port);
    caller.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const text = await caller.closed;
    expect(text).toMatch(/^HTTP\/1\.1 400 .*https:\/\/\.\n$/s);
    expect(text).toContain(`Content-Length: ${text.split('\r\n\r\n')[1]?.length}\r\n`);
  });

  test('a response that breaks off is cut, not ended', async () => {
    const socket = await shakeHands({ servername: 'a.test' });
    const over = new Promise((resolve) => {
      socket.on('end', () => resolve('ended'));
      socket.on('error', () => resolve('cut'));
    });
    socket.write('GET /models/default/digits/half HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    await instance.close();
    expect(await over).toBe('cut');
  });

  test('garbage, and a handshake that stops, are closed and counted', async () => {
    const garbage = await dial(harness.port);
    garbage.socket.write(Buffer.from('160301000501020304050000', 'hex'));
    await garbage.closed;
    const half = await dial(harness.port);
    half.socket.write(Buffer.from('1603010200', 'hex'));
    half.socket.end();
    await half.closed;
    await expect.poll(refusals).toMatchObject({ tls: 1, left: 1 });
  });

  test('of connections that shake no hands there is a bounded number, and others get through', async () => {
    const silent: Socket[] = [];
    teardown(() => silent.forEach((socket) => void socket.destroy()));
    // Not all at once: the system accepts a few hundred ahead of us.
    for (let batch = 0; batch < 11; batch += 1) {
      const opened = Array.from({ length: 100 }, () => connectPlain(harness.port, '127.0.0.1'));
      silent.push(...opened);
      for (const socket of opened) socket.on('error', () => {});
      await Promise.all(opened.map((socket) => once(socket, 'connect')));
    }
    expect((await ask()).status).toBe(200);
    await expect.poll(async () => (await refusals())['crowded']).toBeGreaterThanOrEqual(76);
  });
});

describe('certificates', () => {
  test('are read again when the files change; old connections go on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    teardown(() => agent.destroy());
    await ask({ agent });
    const renewed = makeCertificate(['a.test']);
    await put('a', renewed);
    await untilShown(renewed);
    expect(await ask({ agent })).toMatchObject({ status: 200, reused: true });
    expect(await nameSeen({ servername: 'b.test' })).toBe('b.test');
  });

  test('are read again when another file takes the name, and when a link changes', async () => {
    const renewed = makeCertificate(['a.test']);
    await writeFile(join(folder, 'new.pem'), renewed.certificate);
    await writeFile(join(folder, 'new.key'), renewed.key);
    await rename(join(folder, 'new.pem'), filesOf('a').certificate);
    await rename(join(folder, 'new.key'), filesOf('a').key);
    await untilShown(renewed);
    const again = makeCertificate(['a.test']);
    await put('c', again);
    for (const end of ['pem', 'key']) {
      await unlink(join(folder, `a.${end}`));
      await symlink(join(folder, `c.${end}`), join(folder, `a.${end}`));
    }
    await untilShown(again);
  });

  test.each([
    [
      'a key of another certificate',
      (): Promise<void> => writeFile(filesOf('a').key, B.key),
      'a.key is not the key of',
    ],
    [
      'what is no certificate',
      (): Promise<void> => writeFile(filesOf('a').certificate, 'no'),
      'a.pem is no PEM certificate"',
    ],
    [
      'what is no key',
      (): Promise<void> => writeFile(filesOf('a').key, 'no'),
      'a.key is no PEM private key"',
    ],
    [
      'an encrypted key',
      (): Promise<void> => writeFile(filesOf('a').key, ENCRYPTED_KEY),
      'a.key cannot be used: it is encrypted',
    ],
    ['nothing', (): Promise<void> => unlink(filesOf('b').key), 'b.key cannot be read'],
  ])('%s in place of a file changes nothing, and is logged', async (_what, breakIt, reason) => {
    await breakIt();
    harness.activator.reload();
    await expect.poll(() => logged.join('\n')).toContain(reason);
    expect(await nameSeen({ servername: 'a.test' })).toBe('a.test');
    expect(await nameSeen({ servername: 'b.test' })).toBe('b.test');
    await put('b', B);
    const renewed = makeCertificate(['a.test']);
    await put('a', renewed);
    harness.activator.reload();
    await untilShown(renewed);
  });

  test('that cannot be used stop the start, with the name of the file', async () => {
    await writeFile(filesOf('a').key, B.key);
    await expect(startHarness({}, { tls: [filesOf('a')] })).rejects.toThrow(
      /a\.key is not the key of/,
    );
  });
});

test('a port without certificates tells a caller that speaks TLS, and closes', async () => {
  const plain = await startHarness();
  teardown(() => plain.close());
  const error = await new Promise<Error>((resolve) => {
    const socket = connect({ port: plain.port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', resolve);
  });
  expect(error.message).toMatch(/wrong version number|packet length/);
});

async function refusals(): Promise<Record<string, number>> {
  const text = await harness.scrape();
  const found = text.matchAll(/^rouse_connection_refusals_total\{reason="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, reason, count]) => [reason, Number(count)]));
}
