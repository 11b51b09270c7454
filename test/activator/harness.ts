import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  type Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { type Activator, type ActivatorOptions, createActivator } from '#activator/activator.ts';
import type { Addressing } from '#activator/addressing.ts';
import type { EntrySettings } from '#activator/entry/listener.ts';
import { LINGER_MS, type PlaneLimits } from '#activator/plane.ts';
import { createLocalClient, createLocalHost } from '#bus/local.ts';
import { createPublisher, type Publisher, type Report } from '#bus/publisher.ts';
import type { RoutingInstance, RoutingModel, RoutingRevision } from '#domain/routing.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';

export const LIMITS: PlaneLimits = {
  head: 32 * 1024,
  body: 64 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  connections: 20_000,
};

/** A data plane with a real bus, steered by the test in control's place. */
export interface Harness {
  readonly activator: Activator;
  readonly publisher: Publisher;
  readonly port: number;
  readonly reports: Report[];
  /** Resolves with the first report, past or future, that fits. */
  report<T extends Report['type']>(
    type: T,
    fits?: (report: Extract<Report, { type: T }>) => boolean,
  ): Promise<Extract<Report, { type: T }>>;
  /** Calls back with each report, past and future. */
  onReport(listener: (report: Report) => void): void;
  /** Its metrics, as control gets them. */
  scrape(): Promise<string>;
  /** The sum of all rows of one metric; -1: it has none. */
  gauge(name: string): Promise<number>;
  close(): Promise<void>;
}

export async function startHarness(
  limits: Partial<PlaneLimits> = {},
  entry: Partial<EntrySettings> = {},
  log = silentLog,
  clock: Clock = systemClock,
  addressing?: Addressing,
  own: Partial<ActivatorOptions> = {},
): Promise<Harness> {
  const { port1, port2 } = new MessageChannel();
  const publisher = createPublisher({
    host: createLocalHost(port1),
    epoch: 'test',
    // However long the data plane takes to tell something, it is waited for.
    clock: createFakeClock(),
  });
  const reports: Report[] = [];
  const waiting = new Set<(report: Report) => void>();
  publisher.onUpward((_, message) => {
    reports.push(message);
    for (const wait of waiting) wait(message);
  });
  const activator = await createActivator({
    host: '127.0.0.1',
    port: 0,
    domain: 'localhost',
    client: createLocalClient(port2),
    dataPlane: 'test',
    limits: { ...LIMITS, ...limits },
    clock,
    version: '0.0.0',
    roll: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    entry: { tls: [], trustedProxies: [], proxyProtocol: false, ...entry },
    log,
    ...(addressing && { addressing }),
    ...own,
  });
  const scrape = async (): Promise<string> =>
    (await publisher.scrape()).map(({ text }) => text).join('');
  return {
    activator,
    publisher,
    port: activator.port,
    scrape,
    gauge: async (name) => sumOf(name, await scrape()),
    reports,
    report: (type, fits = () => true) =>
      new Promise((resolve) => {
        const look = (report: Report): void => {
          if (report.type !== type) return;
          const typed = report as Extract<Report, { type: typeof type }>;
          if (!fits(typed)) return;
          waiting.delete(look);
          resolve(typed);
        };
        waiting.add(look);
        for (const report of reports) look(report);
      }),
    onReport(listener) {
      waiting.add(listener);
      for (const report of reports) listener(report);
    },
    async close() {
      await activator.close(0);
      await publisher.close();
    },
  };
}

/** One whose time only the test makes pass; when it closes, as much passes as its callers are given. */
export interface StillHarness extends Harness {
  readonly clock: FakeClock;
}

export async function startStill(limits: Partial<PlaneLimits> = {}): Promise<StillHarness> {
  const clock = createFakeClock();
  const harness = await startHarness(limits, {}, silentLog, clock);
  return {
    ...harness,
    clock,
    async close() {
      const closed = harness.close();
      clock.advance(LINGER_MS + 1000);
      await closed;
    },
  };
}

function sumOf(name: string, text: string): number {
  const rows = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))];
  return rows.length === 0 ? -1 : rows.reduce((sum, [, value]) => sum + Number(value), 0);
}

export function makeRevision(change: Partial<RoutingRevision> = {}): RoutingRevision {
  return {
    name: 'v1',
    runtime: 'command',
    state: 'Ready',
    reason: '',
    concurrency: 8,
    timeouts: { hold: 60_000, run: 60_000, idle: 0, drain: 30_000 },
    retry: 'never',
    coldStartSeconds: 0,
    platform: 'test',
    inputs: [],
    outputs: [],
    ...change,
  };
}

export function makeModel(change: Partial<RoutingModel> = {}): RoutingModel {
  return {
    namespace: 'default',
    name: 'digits',
    generation: 1,
    targets: [{ revision: 'v1', percent: 100 }],
    queue: { requests: 10_000, bytes: 64 * 1024 * 1024 },
    revisions: [makeRevision()],
    ...change,
  };
}

export function makeInstance(port: number, change: Partial<RoutingInstance> = {}): RoutingInstance {
  const now = systemClock.now();
  return {
    id: `instance-${port}`,
    revision: 'default/digits/v1',
    address: { node: 'test', host: '127.0.0.1', port },
    state: 'ready',
    askedAt: now - 30,
    startedAt: now - 20,
    readyAt: now,
    ...change,
  };
}

export interface Instance {
  readonly server: Server;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Connections that one test opens to an instance before this has had a turn to take them. What the system has no room for
 * it lets try again after a second, and may reset in the end.
 */
const MOST_AT_ONCE = 2000;

/** An instance: a real HTTP server. */
export async function startInstance(handler: RequestListener, at = 0): Promise<Instance> {
  const server = createServer({ keepAliveTimeout: 600_000 }, handler);
  server.listen({ port: at, host: '127.0.0.1', backlog: MOST_AT_ONCE });
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** One request by node:http, on a connection of its own unless an agent is given. */
export async function call(
  port: number,
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string | string[]>;
    body?: string | Buffer;
    agent?: Agent;
  } = {},
): Promise<Answered> {
  const sent = request({
    port,
    path,
    method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    headers: options.headers,
    agent: options.agent ?? false,
  });
  sent.end(options.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(pieces).toString(),
  };
}

/** A bare connection: what is written goes out byte for byte. */
export async function dial(port: number): Promise<{
  socket: Socket;
  /** Everything received so far, as latin1. */
  text(): string;
  /** Resolves when the text fits. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves when the other side has closed; with the whole text. */
  closed: Promise<string>;
}> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  let received = '';
  const listeners = new Set<() => void>();
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    for (const look of listeners) look();
  });
  const closed = new Promise<string>((resolve) => {
    const done = (): void => resolve(received);
    socket.on('end', done);
    socket.on('error', done);
    socket.on('close', done);
  });
  return {
    socket,
    text: () => received,
    closed,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(received)) return;
          listeners.delete(look);
          resolve(received);
        };
        listeners.add(look);
        void closed.then(() =>
          pattern.test(received)
            ? resolve(received)
            : reject(new Error(`closed after: ${received}`)),
        );
        look();
      }),
  };
}
