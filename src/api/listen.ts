import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import type { HostPort } from '#domain/address.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { ApiEnv } from './context.ts';

/** Keys, digests and paths are short: what is longer is no request of ours. */
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADER_MS = 10_000;
/** Instead of a limit on the whole request, which would cut a slow upload of a large model. */
const MAX_SILENCE_MS = 120_000;
/** People, dashboards and pipelines; the data plane takes the crowd. */
const MAX_CONNECTIONS = 1024;
/** What runs when it closes may finish within this. */
const CLOSE_MS = 2000;

export interface ApiListener {
  /** Where it listens, with the port that was given for 0. */
  readonly address: HostPort;
  close(): Promise<void>;
}

export async function listenApi(
  api: Hono<ApiEnv>,
  address: HostPort,
  clock: Clock,
): Promise<ApiListener> {
  const answer = getRequestListener((request, { incoming }) => api.fetch(request, { incoming }), {
    overrideGlobalObjects: false,
  });
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: MAX_HEADER_MS,
      requestTimeout: 0,
      keepAliveTimeout: MAX_SILENCE_MS,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  server.timeout = MAX_SILENCE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, address);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return { address: { host: address.host, port }, close: () => close(server, clock) };
}

async function listen(server: Server, { host, port }: HostPort): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, { host, port })));
    server.listen({ host, port }, resolve);
  });
}

function explain(error: Error & { code?: string }, { host, port }: HostPort): Fault {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'is in use',
    EACCES: 'may not be used by this user',
    EADDRNOTAVAIL: 'is no address of this machine',
    ENOTFOUND: 'is no known host',
  };
  const reason = reasons[error.code ?? ''] ?? `cannot be used: ${messageOf(error)}`;
  return new Fault(
    'unavailable',
    `control: ${host}:${port} ${reason}. Choose another one with --control ${host}:<port>`,
    { cause: error },
  );
}

async function close(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = clock.after(CLOSE_MS, () => server.closeAllConnections());
  await closed;
  timer.cancel();
}
