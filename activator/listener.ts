import { createServer, type Server, type Socket } from 'node:net';
import { Fault, messageOf } from '#lib/fault.ts';

/** Who is at the other end of a connection. */
export interface Peer {
  /** Its IP address. */
  readonly address: string;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Open connections, at most. More are closed when they come. */
  readonly connections: number;
  /** A connection whose first byte is a request's. It reads: nothing of it has been read here. */
  readonly onConnection: (socket: Socket, peer: Peer) => void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Accepts nothing new; resolves when the last connection has ended. */
  close(): Promise<void>;
}

/** What happens between the accepting of a connection and its first request. */
export async function createListener(options: ListenerOptions): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    options.onConnection(socket, { address: socket.remoteAddress ?? 'unknown' });
  });
  server.maxConnections = options.connections;
  await listen(server, options);
  const address = server.address();
  return {
    host: options.host,
    port: typeof address === 'object' && address ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function listen(server: Server, { host, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'the port is in use; choose another one by --listen'
          : messageOf(error);
      reject(new Fault('unavailable', `Cannot listen on ${host}:${port}: ${why}.`));
    });
    server.listen({ host, port }, resolve);
  });
}
