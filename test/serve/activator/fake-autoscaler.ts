import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { listening } from '#test/listening.ts';

export interface TakenStat {
  readonly namespace: string;
  readonly revision: string;
  readonly pod: string;
  readonly concurrency: number;
  readonly count: number;
}

/** Takes statistics as Knative's autoscaler does. */
export interface FakeAutoscaler {
  readonly url: string;
  readonly stats: readonly TakenStat[];
  /** Of each connection, the fields of its opening. */
  readonly openings: readonly NodeJS.Dict<string | string[]>[];
  /** That came. */
  readonly pings: number;
  /** What was sent to its callers so far has been read by them. */
  settle(): Promise<void>;
  /** Ends all connections at once. */
  drop(): void;
  /** Answers no ping any more. */
  hang(): void;
  close(): Promise<void>;
}

export async function startFakeAutoscaler(): Promise<FakeAutoscaler> {
  const stats: TakenStat[] = [];
  const openings: NodeJS.Dict<string | string[]>[] = [];
  const sockets = new Set<WebSocket>();
  let hangs = false;
  let pings = 0;
  const server = createServer();
  const port = await listening(server);
  const acceptor = new WebSocketServer({ server, autoPong: false });
  acceptor.on('connection', (socket, request) => {
    openings.push(request.headers);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('ping', (data) => {
      pings += 1;
      if (!hangs) socket.pong(data);
    });
    socket.on('message', (data: Buffer) => stats.push(...readStats(data)));
  });
  const drop = (): void => {
    for (const socket of sockets) socket.terminate();
  };
  return {
    url: `ws://127.0.0.1:${port}`,
    stats,
    openings,
    get pings() {
      return pings;
    },
    async settle() {
      for (const socket of sockets) {
        socket.ping();
        await once(socket, 'pong');
      }
    },
    drop,
    hang: () => (hangs = true),
    async close() {
      drop();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function readStats(bytes: Uint8Array): TakenStat[] {
  return readAll(bytes).map(([, message]) => {
    const fields = new Map(readAll(message as Uint8Array));
    const stat = new Map(readAll(fields.get(3) as Uint8Array));
    return {
      namespace: textOf(fields.get(1)),
      revision: textOf(fields.get(2)),
      pod: textOf(stat.get(1)),
      concurrency: Number(stat.get(2) ?? 0),
      count: Number(stat.get(4) ?? 0),
    };
  });
}

/** Numbers and values of the fields of a message. */
function readAll(bytes: Uint8Array): [number, Uint8Array | number][] {
  const reader = new BinaryReader(bytes);
  const fields: [number, Uint8Array | number][] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    fields.push([number, type === WireType.Bit64 ? reader.double() : reader.bytes()]);
  }
  return fields;
}

function textOf(value: Uint8Array | number | undefined): string {
  return Buffer.from(value as Uint8Array).toString();
}
