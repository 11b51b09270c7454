import { syncBuiltinESMExports } from 'node:module';
import net, { type NetConnectOpts, type Socket } from 'node:net';
import type { PlaneLimits } from '#activator/plane.ts';
import { makeInstance, makeModel, makeRevision, startHarness } from '#test/activator/harness.ts';
import { takeRequest, type TakenRequest } from '#test/activator/taken-request.ts';
import { MemorySocket } from './memory-socket.ts';

/** What the instance does with a whole request; it may write, end or destroy later, in turns of its own. */
export type Serve = (request: TakenRequest, connection: InstanceEnd) => void;

/** The instance's end of a connection. */
export interface InstanceEnd {
  write(bytes: Buffer): void;
  end(): void;
}

/** What came over one connection to the instance. */
export interface Stream {
  readonly bytes: Buffer[];
  /** Of which input each whole request in it is, and which of that input's. */
  readonly requests: { readonly input: number; readonly nth: number }[];
  /** It ends with a part of a request. */
  readonly partial: boolean;
}

/** What became of one input. */
export interface Outcome {
  /** What the caller was sent. */
  readonly answered: Buffer;
  /** Whole requests that reached the instance. */
  readonly forwarded: readonly TakenRequest[];
  /** The data plane has ended the caller's connection; `reset`: without a proper end. */
  readonly ended: boolean;
  readonly reset: boolean;
}

export interface Rig {
  /** Sends the pieces over a new connection; `serve` is how the instance answers meanwhile. */
  run(index: number, pieces: readonly Buffer[], serve: Serve): Outcome;
  /** What came to the instance since the last call. */
  takeStreams(): Stream[];
  close(): Promise<void>;
}

/** A connection to the instance is ended after so many requests: a stream that fails is to be looked at. */
const REQUESTS_PER_STREAM = 300;

/**
 * A whole data plane, the real one, whose connections are in memory: one input takes some ten microseconds. Only
 * `node:net` is another one meanwhile: what it accepts comes from here, and what it connects to is here.
 */
export async function createRig(limits: Partial<PlaneLimits> = {}): Promise<Rig> {
  const steps: (() => void)[] = [];
  const turns = { later: (step: () => void) => void steps.push(step) };
  const streams: Stream[] = [];
  const open = new Set<Upstream>();
  let accept: (socket: Socket) => void = () => {};
  let serve: Serve = () => {};
  let current = 0;
  let forwarded: TakenRequest[] = [];

  function settle(): void {
    for (let i = 0; i < steps.length; i += 1) {
      steps[i]!();
      if (i > 100_000) throw new Error(`input ${current} never comes to rest`);
    }
    steps.length = 0;
  }

  function keep(stream: Stream): void {
    if (stream.bytes.length > 0) streams.push(stream);
  }

  function connect(options: NetConnectOpts): MemorySocket {
    const socket = new MemorySocket(turns, options.onread);
    const upstream = createUpstream(socket);
    open.add(upstream);
    socket.once('close', () => {
      open.delete(upstream);
      upstream.look();
      keep(upstream.take());
    });
    turns.later(() => void socket.emit('connect'));
    return socket;
  }

  interface Upstream {
    /** Looks at what was written meanwhile. */
    look(): boolean;
    /** What came since the last call. */
    take(): Stream;
  }

  function createUpstream(socket: MemorySocket): Upstream {
    let stream: Stream = { bytes: [], requests: [], partial: false };
    let text = '';
    const end: InstanceEnd = {
      write: (bytes) => turns.later(() => socket.deliver(bytes)),
      end: () => turns.later(() => socket.deliverEnd()),
    };
    function look(): boolean {
      const bytes = socket.takeWritten();
      if (bytes.length === 0) return false;
      stream.bytes.push(bytes);
      text += bytes.toString('latin1');
      for (let taken = takeRequest(text); taken; taken = takeRequest(text)) {
        text = text.slice(taken.length);
        stream.requests.push({ input: current, nth: forwarded.length });
        forwarded.push(taken);
        serve(taken, end);
        if (stream.requests.length >= REQUESTS_PER_STREAM) end.end();
      }
      return true;
    }
    return {
      look,
      take() {
        const taken = { ...stream, partial: text !== '' };
        stream = { bytes: [], requests: [], partial: false };
        return taken;
      },
    };
  }

  function run(index: number, pieces: readonly Buffer[], how: Serve): Outcome {
    current = index;
    serve = how;
    forwarded = [];
    const socket = new MemorySocket(turns);
    accept(socket as unknown as Socket);
    for (const piece of pieces) {
      socket.deliver(piece);
      work();
    }
    const { finished, destroyed, reset } = socket;
    if (!destroyed) socket.deliverEnd();
    work();
    return { answered: socket.takeWritten(), forwarded, ended: finished || destroyed, reset };
  }

  /** Both sides, until neither has anything to do. */
  function work(): void {
    let more = true;
    while (more) {
      settle();
      more = false;
      for (const upstream of open) more = upstream.look() || more;
    }
  }

  const real = { connect: net.connect, createServer: net.createServer };
  const server = {
    maxConnections: 0,
    on: () => server,
    once: () => server,
    listen: (_: object, done: () => void) => setImmediate(done),
    address: () => ({ address: '192.0.2.2', port: 1, family: 'IPv4' }),
    close: (done: () => void) => setImmediate(done),
  };
  Object.assign(net, {
    connect,
    createServer: (_: object, onConnection: (socket: Socket) => void) => {
      accept = onConnection;
      return server;
    },
  });
  syncBuiltinESMExports();
  const harness = await startHarness(limits);
  const revisions = [makeRevision({ concurrency: 0 })];
  harness.publisher.update({ models: [makeModel({ revisions })], instances: [makeInstance(1)] });
  await harness.activator.ready;

  return {
    run,
    takeStreams() {
      for (const upstream of open) keep(upstream.take());
      return streams.splice(0);
    },
    async close() {
      await harness.close();
      Object.assign(net, real);
      syncBuiltinESMExports();
    },
  };
}
