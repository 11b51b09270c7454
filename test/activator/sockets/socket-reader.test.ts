import { once } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SocketReader, keep } from '#activator/sockets/socket-reader.ts';
import { SocketWriter } from '#activator/sockets/socket-writer.ts';
import type { Receiver } from '#activator/sockets/socket-owner.ts';

/** An accepted socket as `adopt` takes over, and one that it leaves as it is. */
const WAYS = {
  'read through onread': (socket: Socket) => socket,
  'read as a stream': (socket: Socket) => {
    const other = Object.create(Socket.prototype, { constructor: { value: Object } });
    return Object.setPrototypeOf(socket, other) as Socket;
  },
};

/** An echo with every feature in use: adopts, reads, pauses when the peer is slow, writes on without a copy. */
async function startEcho(way: (socket: Socket) => Socket) {
  const full = Promise.withResolvers<void>();
  const server = createServer({ allowHalfOpen: true }, (accepted) => {
    const reader = new SocketReader();
    const receiver: Receiver = {
      reader,
      onBytes(buffer, length) {
        reader.expect(length > 8192 ? 100_000 : 0);
        if (writer.writeBytes(buffer, 0, length)) return;
        socket.pause();
        full.resolve();
      },
    };
    const socket = reader.adopt(way(accepted), receiver);
    const writer = new SocketWriter(socket);
    socket.on('drain', () => socket.resume());
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** A peer reads slower than is written to it. */
    full: full.promise,
    connections: () => new Promise((resolve) => server.getConnections((_, n) => resolve(n))),
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}

/** Sends the pieces and reads all that comes back, slowly if asked to. */
async function exchange(port: number, pieces: readonly Buffer[], slow: boolean): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const received: Buffer[] = [];
  const writing = (async () => {
    for (const piece of pieces) if (!socket.write(piece)) await once(socket, 'drain');
    socket.end();
  })();
  for await (const chunk of socket) {
    received.push(chunk as Buffer);
    if (slow) await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  return Buffer.concat(received);
}

function bytesOf(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

describe.each(Object.entries(WAYS))('%s', (_, way) => {
  test('bytes of many sockets at once arrive whole, in order and unmixed', async () => {
    const echo = await startEcho(way);
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 300_000 })),
      {
        minLength: 1,
        maxLength: 6,
      },
    );
    const callers = fc.array(fc.record({ sizes, slow: fc.boolean() }), {
      minLength: 2,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(callers, async (all) => {
        const sent = all.map(({ sizes: lengths }, caller) =>
          lengths.map((length, i) => bytesOf(caller * 100 + i + 1, length)),
        );
        const received = await Promise.all(
          all.map(({ slow }, caller) => exchange(echo.port, sent[caller] ?? [], slow)),
        );
        for (const [caller, bytes] of received.entries()) {
          expect(bytes.equals(Buffer.concat(sent[caller] ?? []))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
    await echo.close();
  });

  test('bytes wait unchanged for a peer that does not read', async () => {
    const echo = await startEcho(way);
    const socket = connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    const sent = bytesOf(7, 16 * 1024 * 1024);
    socket.end(sent);
    await echo.full;
    const received: Buffer[] = [];
    for await (const chunk of socket) received.push(chunk as Buffer);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    await echo.close();
  });

  test('the server still counts the connection, and closes when it has ended', async () => {
    const echo = await startEcho(way);
    const socket = connect(echo.port, '127.0.0.1');
    socket.write('x');
    await once(socket, 'data');
    expect(await echo.connections()).toBe(1);
    socket.end();
    await once(socket, 'close');
    await echo.close();
  });
});

test('what is kept stays, whatever is read afterwards', async () => {
  const kept: Buffer[] = [];
  const server = createServer((accepted) => {
    const reader = new SocketReader();
    const onBytes = (buffer: Buffer, length: number): void => {
      kept.push(keep(buffer, 0, length));
      taken.write('.');
    };
    const taken = reader.adopt(accepted, { reader, onBytes });
  });
  const socket = connect(await listening(server), '127.0.0.1');
  for (const word of ['first', 'other', 'third']) {
    socket.write(word);
    await once(socket, 'data');
  }
  expect(kept.map(String)).toEqual(['first', 'other', 'third']);
  socket.destroy();
  server.close();
  await once(server, 'close');
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
