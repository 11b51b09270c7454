import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { Settings } from './settings.ts';

/**
 * Longer than any pool keeps a connection, so that it is always the caller who closes an idle one: a server
 * that closes first races with the next request.
 */
const KEEP_ALIVE_MS = 10 * 60_000;

export interface Listening {
  /** Takes no new connection, finishes what runs, then resolves. */
  close(): Promise<void>;
}

/**
 * HTTP/1.1 on the socket. `node:http` is not imported but fetched: an import statement reads all its exports,
 * one of which loads the whole fetch implementation, 30 ms of every cold start.
 */
export async function createListening(
  listener: RequestListener,
  listen: Settings['listen'],
): Promise<Listening> {
  const { createServer } = process.getBuiltinModule('node:http');
  const running = new Set<ServerResponse>();
  let closing = false;
  // A request has no time limit here: how long a model may take is the caller's and the data plane's affair.
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, noDelay: true };
  const server = createServer(options, (request, response) => {
    if (closing) response.shouldKeepAlive = false;
    running.add(response);
    response.once('close', () => {
      running.delete(response);
      if (closing) setImmediate(() => server.closeIdleConnections());
    });
    listener(request, response);
  });
  await listening(server, listen);
  return {
    close() {
      closing = true;
      for (const response of running) response.shouldKeepAlive = false;
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
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
