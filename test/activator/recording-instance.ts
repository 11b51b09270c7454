import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { takeRequest, type TakenRequest } from './taken-request.ts';

export interface RecordedRequest extends TakenRequest {
  /** Which of the connections it came on, from 0. */
  readonly connection: number;
}

/** An instance on bare sockets: it keeps every byte it gets and answers each whole request as it is told. */
export interface RecordingInstance {
  readonly port: number;
  /** Whole requests in the order they came, byte for byte. */
  readonly requests: RecordedRequest[];
  /** What came and is no whole request (yet), by connection. */
  leftovers(): string[];
  close(): Promise<void>;
}

export type Respond = (request: TakenRequest, socket: Socket) => void;

const answerOk: Respond = (_, socket) =>
  void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 'latin1');

export async function startRecordingInstance(
  respond: Respond = answerOk,
): Promise<RecordingInstance> {
  const requests: RecordedRequest[] = [];
  let connections = 0;
  const pending = new Map<Socket, string>();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      let text = (pending.get(socket) ?? '') + chunk.toString('latin1');
      for (let taken = takeRequest(text); taken; taken = takeRequest(text)) {
        text = text.slice(taken.length);
        requests.push({ ...taken, connection });
        respond(taken, socket);
      }
      pending.set(socket, text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    leftovers: () => [...pending.values()].filter((text) => text !== ''),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
