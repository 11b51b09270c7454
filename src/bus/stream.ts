import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { BusClient, BusHost, Link } from './bus.ts';
import { isDownward, isUpward } from './known.ts';
import type { Downward, Upward } from './messages.ts';
import { createMailbox } from './mailbox.ts';
import { BACKLOG_LIMIT, createStreamLink } from './stream-link.ts';

/** A Unix socket (mode 0600: whoever may open it is trusted), or TCP (keep it on a private network). */
export type StreamAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** Data planes of a large cluster; beyond it somebody opens connections by mistake. */
const LINK_LIMIT = 1000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5000;
/** On one machine an attempt costs microseconds, and callers may be waiting for what control will say. */
const LONGEST_LOCAL_RETRY_MS = 100;

/** The bus over sockets: control's end. Resolves when it listens; Fault `unavailable` when it cannot. */
export async function createStreamHost(options: {
  listen: StreamAddress;
  clock: Clock;
  /** Bytes that may wait for a link's reader. */
  backlog?: number;
}): Promise<BusHost & { readonly address: StreamAddress }> {
  const { listen, clock, backlog = BACKLOG_LIMIT } = options;
  const links = createMailbox<Link<Downward, Upward>>();
  const open = new Set<Link<Downward, Upward>>();
  const server = createServer((socket) => {
    const link = createStreamLink<Downward, Upward>(socket, { clock, backlog, isKnown: isUpward });
    open.add(link);
    socket.once('close', () => open.delete(link));
    links.deliver(link);
  });
  server.maxConnections = LINK_LIMIT;
  const address = await listenOn(server, listen);
  return {
    address,
    onLink: links.listen,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const link of open) link.close();
      await closed;
    },
  };
}

/**
 * The data plane's end. At any time there is one connection, or one attempt, or one timer for the next. The
 * time between attempts doubles up to a limit, and falls back once a link has brought a message.
 */
export function createStreamClient(options: {
  connect: StreamAddress;
  clock: Clock;
  /** From 0 to 1: keeps clients that lost the same host from coming back at the same moment. */
  random: () => number;
  backlog?: number;
}): BusClient {
  const { clock, random, backlog = BACKLOG_LIMIT } = options;
  const limit = 'path' in options.connect ? LONGEST_LOCAL_RETRY_MS : LONGEST_RETRY_MS;
  const links = createMailbox<Link<Upward, Downward>>();
  let closed = false;
  let failures = 0;
  let retry: Timer | undefined;
  let socket = open();
  let link: Link<Upward, Downward> | undefined;

  function open(): Socket {
    const made = connect({ ...options.connect });
    made.on('error', () => {});
    made.once('connect', () => {
      link = createStreamLink<Upward, Downward>(made, { clock, backlog, isKnown: isDownward });
      made.once('data', () => (failures = 0));
      links.deliver(link);
    });
    made.once('close', again);
    return made;
  }

  function again(): void {
    link = undefined;
    if (closed) return;
    const longest = backoffMs(++failures, FIRST_RETRY_MS, limit);
    retry = clock.after(longest * (0.5 + random() / 2), () => (socket = open()));
  }

  return {
    onLink: links.listen,
    async close() {
      closed = true;
      retry?.cancel();
      if (socket.closed) return;
      const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      if (link) link.close();
      else socket.destroy();
      await ended;
    },
  };
}

async function listenOn(server: Server, address: StreamAddress): Promise<StreamAddress> {
  if (!('path' in address)) {
    await listening(server, address);
    const bound = server.address();
    const port = typeof bound === 'object' && bound ? bound.port : address.port;
    return { host: address.host, port };
  }
  await removeStale(address.path);
  await listening(server, address);
  await chmod(address.path, 0o600);
  return address;
}

/** A socket file that nobody listens on is what a killed process left. Any other file is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() !== true || (await answers(path))) return;
  await unlink(path);
}

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

async function listening(server: Server, address: StreamAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const where = 'path' in address ? address.path : `${address.host}:${address.port}`;
      const message = `the bus cannot listen on ${where}: ${messageOf(cause)}`;
      reject(new Fault('unavailable', message, { cause }));
    });
    server.listen({ ...address }, resolve);
  });
}
