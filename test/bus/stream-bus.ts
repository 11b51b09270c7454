import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BusClient } from '#bus/bus.ts';
import { createStreamClient, createStreamHost, type StreamAddress } from '#bus/stream.ts';
import { systemClock } from '#lib/clock.ts';
import type { BusUnderTest } from './conformance.ts';

const BACKLOG = 24 * 2 ** 20;

/** A folder for sockets and a function that removes it. */
export async function socketFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-bus-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('the server does not listen');
  return address.port;
}

/** A way to `target` that can be cut. */
async function createWire(target: StreamAddress) {
  const sockets = new Set<Socket>();
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  }
  const server = createServer((near) => {
    const far = connect({ ...target });
    keep(near);
    keep(far);
    near.pipe(far).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: { host: '127.0.0.1', port: portOf(server) },
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

/** A host, and clients that reach it over a wire that can be cut. */
export async function createStreamBus(
  listen: StreamAddress,
  remove: () => Promise<void>,
): Promise<BusUnderTest> {
  const host = await createStreamHost({ listen, clock: systemClock, backlog: BACKLOG });
  const wire = await createWire(host.address);
  const clients: BusClient[] = [];
  function connectTo(connect: StreamAddress): BusClient {
    const options = { connect, clock: systemClock, random: () => 0, backlog: BACKLOG };
    const client = createStreamClient(options);
    clients.push(client);
    return client;
  }
  return {
    host,
    client: connectTo(wire.address),
    another: () => connectTo(host.address),
    cut: wire.cut,
    backlog: BACKLOG,
    async close() {
      await Promise.all(clients.map((each) => each.close()));
      await host.close();
      await wire.close();
      await remove();
    },
  };
}
