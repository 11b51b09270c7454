import type { RequestListener, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Settings } from './settings.ts';

/**
 * Longer than any pool keeps a connection, so that it is always the caller who closes an idle one: a server
 * that closes first races with the next request.
 */
const KEEP_ALIVE_MS = 10 * 60_000;

/** More than the data plane lets through, with what it adds. */
const MAX_HEADER_BYTES = 128 * 1024;

/**
 * No time limit of its own for a request, nor for a connection that was opened ahead of need: how long things may
 * take is the data plane's affair.
 */
const OPTIONS: ServerOptions = {
  keepAliveTimeout: KEEP_ALIVE_MS,
  requestTimeout: 0,
  headersTimeout: 0,
  maxHeaderSize: MAX_HEADER_BYTES,
  noDelay: true,
};

export interface Listening {
  /** From now on requests are this one's. */
  replace(listener: RequestListener): void;
  /** Takes no new connection, finishes what runs, then resolves. */
  close(): Promise<void>;
}

/**
 * HTTP/1.1 on the socket. `node:http` is not imported but fetched: an import statement reads all its exports,
 * one of which loads the whole fetch implementation, 30 ms of every cold start.
 */
export async function createListening(
  first: RequestListener,
  listen: Settings['listen'],
): Promise<Listening> {
  let listener = first;
  const { createServer } = process.getBuiltinModule('node:http');
  const running = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  let closing = false;
  const server = createServer(OPTIONS, (request, response) => {
    if (closing) response.shouldKeepAlive = false;
    running.add(response);
    response.once('close', () => {
      running.delete(response);
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
    listener(request, response);
  });
  // A caller that leaves is told to the handler; the connection says that the handler runs on. Its slot is its own until
  // then. Node has no name for this setting, and `allowHalfOpen` of its sockets does nothing without it.
  Reflect.set(server, 'httpAllowHalfOpen', true);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await listening(server, listen);
  return {
    replace(next) {
      listener = next;
    },
    close() {
      closing = true;
      for (const response of running) response.shouldKeepAlive = false;
      return new Promise((resolve) => {
        server.close(() => resolve());
        // Connections that were never used do not count as idle there.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      });
    },
  };
}

function listening(server: Server, listen: Settings['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...listen, backlog: 4096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
