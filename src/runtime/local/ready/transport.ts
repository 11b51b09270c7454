import { createServer, type Server } from 'node:net';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  ENV_INSPECTION,
  ENV_KIND,
  ENV_READY_FD,
  ENV_SOCKET,
  ENV_SOURCE,
  type ServerMetadata,
} from '#domain/launch.ts';
import type { Address } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Workload } from '../../runtime.ts';
import type { Environment } from '../environment.ts';
import { type Bound, EXTRA_FD, type Extra } from '../process/group.ts';
import { portOf } from '../process/handles.ts';
import { createProbe, HERE, type Probe } from './probe.ts';
import { MAX_READY_LINE_CHARS, parseReadyLine } from './ready-line.ts';

interface TransportEvents {
  readonly onReady: (metadata?: ServerMetadata) => void;
  readonly onError: (message: string) => void;
}

/** How requests reach an instance, and how it is known to be ready. */
export interface Transport {
  readonly address: Address;
  readonly extra: Extra;
  readonly variables: Environment;
  /** What stands for `${NAME}` in the arguments. */
  readonly words: Readonly<Record<string, string>>;
  /** The program runs. */
  started(events: TransportEvents): void;
  /** What the program wrote to its readiness pipe so far. */
  heard(text: string): void;
  /** What became of the last look whether it is ready. */
  seen(): string | undefined;
  close(): void;
}

interface Place {
  readonly node: string;
  readonly clock: Clock;
}

/** A model server of ours: a Unix socket, and a pipe that it writes to when it is ready. */
export function openSocket(
  place: Place & { runFolder: string; id: string },
  workload: Workload,
  source: string,
): Transport {
  const socket = join(place.runFolder, place.id);
  let events: TransportEvents | undefined;
  let isDecided = false;
  const variables: Environment = {
    [ENV_SOCKET]: socket,
    [ENV_READY_FD]: String(EXTRA_FD),
    [ENV_KIND]: workload.spec.runtime,
    [ENV_SOURCE]: source,
  };
  if (workload.inspection) variables[ENV_INSPECTION] = JSON.stringify(workload.inspection);
  return {
    address: { node: place.node, socket },
    extra: 'pipe',
    variables,
    words: {},
    started(given) {
      events = given;
    },
    heard(text) {
      const end = text.indexOf('\n');
      if (isDecided || (end < 0 && text.length <= MAX_READY_LINE_CHARS)) return;
      isDecided = true;
      hear(end < 0 ? text : text.slice(0, end), events);
    },
    seen: () => 'it has not said that it is',
    close() {
      rmSync(socket, { force: true });
    },
  };
}

function hear(line: string, events: TransportEvents | undefined): void {
  try {
    const said = parseReadyLine(line);
    if ('error' in said) events?.onError(said.error);
    else events?.onReady(said.metadata);
  } catch (error) {
    events?.onError(messageOf(error));
  }
}

/** Any other program: a port of this machine. */
export async function openPort(
  place: Place & { usedPorts: Set<number>; takeBound: () => Bound | undefined },
  workload: Workload,
): Promise<Transport> {
  const { clock, node, usedPorts } = place;
  const takesSocket = workload.spec.args.some((arg) => arg.includes('${LISTEN_FD}'));
  const bound = takesSocket ? place.takeBound() : undefined;
  const server = bound ? undefined : await listen(usedPorts);
  const port = bound?.port ?? portOf(server);
  usedPorts.add(port);
  if (!takesSocket) server?.close();
  const variables: Environment = { PORT: String(port) };
  if (takesSocket) variables['LISTEN_FDS'] = '1';
  let probe: Probe | undefined;
  let events: TransportEvents | undefined;
  let isReady = false;
  let isClosed = false;

  function startProbe(): void {
    if (isClosed) return;
    const { path, grpc } = workload.spec.readiness;
    probe = createProbe({
      to: { host: '127.0.0.1', port },
      path,
      grpc: grpc === true,
      hold: takesSocket,
      pace: HERE,
      clock,
      describeFailure: ({ code }) =>
        code === 'ECONNREFUSED' ? `nothing listens on its port (PORT=${port})` : undefined,
      onReady() {
        isReady = true;
        events?.onReady();
      },
    });
  }

  // A question asked now waits in the socket for the program, which need not wait for the question. Its server is
  // closed here when it is handed over.
  if (bound) startProbe();
  else if (takesSocket) server?.once('close', startProbe);
  return {
    address: { node, host: '127.0.0.1', port },
    extra: takesSocket ? (bound ?? server) : undefined,
    variables,
    words: { PORT: String(port), LISTEN_FD: String(EXTRA_FD) },
    started(given) {
      events = given;
      if (isReady) given.onReady();
      else if (!takesSocket) startProbe();
    },
    heard() {},
    seen: () => probe?.seen(),
    close() {
      isClosed = true;
      probe?.close();
      // Once it runs the socket is its own, and the port may be another's next.
      if (!events) bound?.discard();
      server?.close();
      usedPorts.delete(port);
    },
  };
}

/** Ports given to programs that do not listen yet look free to the system: `used` are not given twice. */
async function listen(used: ReadonlySet<number>): Promise<Server> {
  for (;;) {
    const server = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host: '127.0.0.1' }, resolve);
    });
    if (!used.has(portOf(server))) return server;
    server.close();
  }
}
