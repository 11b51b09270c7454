import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SocketWriter } from '#activator/sockets/socket-writer.ts';

interface Pair {
  readonly writer: SocketWriter;
  readonly socket: Socket;
  readonly peer: Socket;
  close(): Promise<void>;
}

async function makePair(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [socket] = await accepted;
  const writer = new SocketWriter(socket);
  return {
    writer,
    socket,
    peer,
    async close() {
      socket.destroy();
      peer.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readAll(peer: Socket): Promise<string> {
  const received: Buffer[] = [];
  for await (const chunk of peer) received.push(chunk as Buffer);
  return Buffer.concat(received).toString('latin1');
}

/** Until the system takes no more. */
function fill({ writer }: Pair): string {
  let all = '';
  for (let count = 0; !writer.isFull; count += 1) {
    const text = `${count} \u00e9 ${'x'.repeat(10_000)}\n`;
    all += text;
    writer.writeText(text);
  }
  return all;
}

describe('what is written', () => {
  test('a peer that does not read fills it; when it reads all has come, and there is room again', async () => {
    const pair = await makePair();
    let sent = fill(pair);
    expect(pair.writer.isEmpty).toBe(false);
    pair.writer.writeText('what is written although it is full');
    pair.writer.writeBytes(Buffer.alloc(100_000, 'b'), 0, 100_000);
    pair.writer.writeText('the end');
    sent += `what is written although it is full${'b'.repeat(100_000)}the end`;
    const hasRoom = once(pair.socket, 'drain');
    const received = readAll(pair.peer);
    await hasRoom;
    while (pair.writer.isFull) await once(pair.socket, 'drain');
    expect(pair.writer.isEmpty).toBe(true);
    pair.socket.end();
    expect(await received).toBe(sent);
    await pair.close();
  });

  test('the end comes after all that was written, and so does a soon destroyed socket', async () => {
    for (const end of ['end', 'destroySoon'] as const) {
      const pair = await makePair();
      const sent = fill(pair);
      pair.socket[end]();
      expect(await readAll(pair.peer)).toBe(sent);
      await pair.close();
    }
  });

  test('a peer that resets is an error of the socket, with what was not taken yet and with what comes', async () => {
    const pair = await makePair();
    fill(pair);
    const failed = once(pair.socket, 'error');
    pair.peer.resetAndDestroy();
    await failed;
    pair.writer.writeText('nobody reads this');
    expect(pair.socket.destroyed).toBe(true);
    await pair.close();
  });

  test('texts, pieces and chunks keep their order, however slowly they are read', async () => {
    const piece = fc.record({
      kind: fc.constantFrom('text', 'bytes', 'chunk', 'turn', 'cork', 'uncork'),
      size: fc.oneof(fc.nat(100), fc.nat(5000), fc.nat(200_000)),
    });
    const property = fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const pair = await makePair();
      const { writer } = pair;
      const received = readAll(pair.peer);
      let sent = '';
      for (const [at, { kind, size }] of pieces.entries()) {
        const text = String.fromCharCode(33 + at).repeat(size);
        const buffer = Buffer.from(text, 'latin1');
        if (kind === 'cork') writer.cork();
        else if (kind === 'uncork') writer.uncork();
        else if (kind === 'turn') await new Promise((resolve) => setImmediate(resolve));
        else if (kind === 'text') writer.writeText(text);
        else if (kind === 'bytes') writer.writeBytes(buffer, 0, size);
        else writer.writeChunk(buffer, [0, size]);
        if (kind === 'text' || kind === 'bytes') sent += text;
        if (kind === 'chunk' && size > 0) sent += `${size.toString(16)}\r\n${text}\r\n`;
      }
      writer.uncork();
      pair.socket.end();
      expect(await received).toBe(sent);
      await pair.close();
    });
    await fc.assert(property, { numRuns: 100 });
  });
});
