import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { listening } from '#test/listening.ts';
import { dial, makeInstance, makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** Who vanishes (a cable is pulled, a node dies) ends no connection: the system has to ask. */

const TCP = '/proc/net/tcp';
const KEEP_ALIVE = '02';
const harness = useHarness();

/** The timer of the system on the connection from this port of this machine to that one. */
async function timerOf(from: number, to: number): Promise<string | undefined> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of (await readFile(TCP, 'utf8')).split('\n')) {
    const [, local = '', remote = '', , , timer] = line.trim().split(/\s+/);
    if (local.endsWith(`:${hex(from)}`) && remote.endsWith(`:${hex(to)}`))
      return timer?.slice(0, 2);
  }
  return undefined;
}

test.skipIf(!existsSync(TCP))(
  'a caller and an instance of HTTP/1 are asked (needs /proc)',
  async () => {
    const asked = Promise.withResolvers<Socket>();
    const { port } = await harness.startBareInstance((socket) => {
      socket.once('data', () => asked.resolve(socket));
    });
    await harness.publish(makeModel(), port);
    const { socket } = await dial(harness.port);
    harness.teardown(() => socket.destroy());
    socket.write('GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n');
    const { remotePort = 0 } = await asked.promise;
    const { port: callerPort } = socket.address() as AddressInfo;
    await expect.poll(() => timerOf(harness.port, callerPort)).toBe(KEEP_ALIVE);
    await expect.poll(() => timerOf(remotePort, port)).toBe(KEEP_ALIVE);
  },
);

test.skipIf(!existsSync(TCP))('so are those of HTTP/2 (needs /proc)', async () => {
  const asked = Promise.withResolvers<number>();
  const server = createServer((request) => asked.resolve(request.socket.remotePort ?? 0));
  const port = await listening(server);
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  harness.teardown(() => {
    for (const each of sessions) each.destroy();
    server.close();
  });
  const address = { node: 'test', host: '127.0.0.1', port, h2c: true } as const;
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(port, { address })] });
  await harness.activator.ready;
  const session = connect(`http://127.0.0.1:${harness.port}`);
  session.on('error', () => {});
  harness.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/models/default/digits/' });
  stream.on('error', () => {});
  const remotePort = await asked.promise;
  const callerPort = session.socket.localPort ?? 0;
  await expect.poll(() => timerOf(harness.port, callerPort)).toBe(KEEP_ALIVE);
  await expect.poll(() => timerOf(remotePort, port)).toBe(KEEP_ALIVE);
});
