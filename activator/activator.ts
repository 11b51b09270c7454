import type { Socket } from 'node:net';
import type { BusClient } from '#bus/bus.ts';
import { createSubscriber } from '#bus/subscriber.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import type { AcceptedConnection } from './accepted-connection.ts';
import { Callers } from './callers.ts';
import { CallerConnection, type CallerConnectionEvents } from './caller-connection.ts';
import { createDemand } from './demand.ts';
import { createTraces } from './http/traceparent.ts';
import { CallerSession } from './http2/caller-session.ts';
import { formatLeaseMetrics } from './lease-metrics.ts';
import { createListener, type EntrySettings, type Listener, type Peer } from './listener.ts';
import { reportLoad } from './load.ts';
import { countEntryRefusal, createSharedMetrics, formatMetrics } from './metrics.ts';
import { createPeers } from './peers.ts';
import type { Plane, PlaneLimits } from './plane.ts';
import { Routes } from './routes.ts';
import type { Slot } from './slot.ts';
import { NOTHING_WAITS } from './waits.ts';
import { WATCH_EVERY_MS, Watches } from './watches.ts';

/** Deadlines are looked at this often: the precision of every time limit of the data plane. */
const SWEEP_MS = 100;
const LOAD_MS = 1000;
/** An instance that refused a connection gets no request for this long. */
const SUSPEND_MS = 250;
/**
 * An instance that left so many requests in a row without an answer, each for as long as it may run, hangs. One
 * can be a long computation.
 */
const MAX_SILENCES = 3;

export interface ActivatorOptions {
  readonly host: string;
  readonly port: number;
  /**
   * Other data planes of this machine listen there, too. The system would give a part of the connections to one that
   * knows no model yet: it listens once it has a routing state.
   */
  readonly sharePort?: boolean;
  /** What model hosts end with: `digits.default.<domain>`. */
  readonly domain: string;
  readonly client: BusClient;
  /** A name of this data plane, unique among those of one control. */
  readonly dataPlane: string;
  /** There may be others at the same control: what waits there is asked for, too. */
  readonly hasPeers?: boolean;
  readonly limits: PlaneLimits;
  readonly clock: Clock;
  readonly version: string;
  /** Uniform in [0, 1). */
  readonly roll: () => number;
  /** So many bytes that nobody can guess, as hex digits. */
  readonly randomHex: (bytes: number) => string;
  readonly entry: EntrySettings;
  readonly log: Log;
}

export interface Activator {
  readonly host: string;
  readonly port: number;
  /** The first routing state has arrived, and it listens. Rejects when it could not listen then. */
  readonly ready: Promise<void>;
  /** In Prometheus' text form. */
  metrics(): string;
  /** Accepts nothing new, lets what runs finish for at most `graceMs`, then cuts it off. */
  close(graceMs: number): Promise<void>;
  /** Reads the certificates again. */
  reload(): void;
}

/** The data plane: listens, routes, holds, wakes, balances, forwards. */
export async function createActivator(options: ActivatorOptions): Promise<Activator> {
  const { clock, sharePort = false } = options;
  const stated = Promise.withResolvers<void>();
  const metrics = createSharedMetrics();
  const connections = new Set<AcceptedConnection>();
  const timers = new Set<Timer>();
  const routes = new Routes(options.domain, {
    onWake(revision, queued) {
      subscriber.send({ type: 'wake', revision, queued, ...demand.follow(revision) });
    },
    onQuiet: (revision) => demand.quiet(revision),
    onReleased({ id, held, sequence }) {
      subscriber.send({ type: 'released', instance: id, slots: held, sequence });
    },
    onDrained: (slot) => subscriber.send({ type: 'drained', instance: slot.id }),
    now: () => clock.now(),
    roll: options.roll,
  });
  const callers = new Callers();
  const peers = createPeers({
    clock,
    send(question) {
      subscriber.send({ type: 'ask', ...question });
      return subscriber.linked;
    },
  });
  const watches = new Watches(options.hasPeers ? peers : undefined);
  const demand = createDemand({
    routes,
    clock,
    send: (revisions) => subscriber.send({ type: 'demand', revisions }),
  });
  const plane: Plane = {
    routes,
    callers,
    watches,
    metrics,
    limits: options.limits,
    version: options.version,
    heldBytes: 0,
    streams: 0,
    ready: false,
    closing: false,
    now: () => clock.now(),
    roll: options.roll,
    startTrace: createTraces(options.randomHex),
    onUnreachable(slot, reason) {
      // One incident, however many requests met it.
      if (slot.suspended) return;
      subscriber.send({ type: 'suspect', instance: slot.id, reason });
      suspendFor(slot, SUSPEND_MS);
    },
    onSilent(slot, reason) {
      slot.silences += 1;
      if (slot.silences < MAX_SILENCES) return;
      slot.silences = 0;
      subscriber.send({ type: 'suspect', instance: slot.id, reason, hangs: true });
    },
  };
  const subscriber = createSubscriber({
    client: options.client,
    dataPlane: options.dataPlane,
    onState(change) {
      callers.apply(change);
      routes.apply(change);
      plane.ready = true;
      stated.resolve();
    },
    leases: () => routes.leases(),
    onLease: (leases) => routes.lease(leases),
    tell({ revision, request }) {
      const route = routes.findRevision(revision);
      return route ? watches.waitsOf(route, request, clock.now()) : NOTHING_WAITS;
    },
    onAnswers: (answers) => peers.onAnswers(answers),
    onUnlinked() {
      for (const slot of routes.allSlots()) slot.gate.keepHeld(slot);
    },
  });
  subscriber.onLink(() => {
    for (const route of routes.allRevisions()) route.gate.wakeAgain();
    for (const slot of routes.allSlots()) slot.gate.drainAgain(slot);
  });
  const formatAll = (): string =>
    formatMetrics(routes.allRevisions(), metrics, plane.heldBytes) +
    formatLeaseMetrics(routes.allRevisions(), subscriber.linked);
  subscriber.onScrape(formatAll);

  function suspendFor(slot: Slot, ms: number): void {
    slot.gate.suspend(slot);
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      slot.gate.resume(slot);
    });
    timers.add(timer);
  }

  function repeat(ms: number, step: () => void): void {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      step();
      if (!plane.closing || connections.size > 0) repeat(ms, step);
    });
    timers.add(timer);
  }

  function addConnection(connection: AcceptedConnection): void {
    connections.add(connection);
    metrics.connections = connections.size;
  }

  function removeConnection(connection: AcceptedConnection): void {
    connections.delete(connection);
    metrics.connections = connections.size;
  }

  const connectionEvents: CallerConnectionEvents = {
    onHttp2(connection, first) {
      removeConnection(connection);
      const session = new CallerSession(connection.socket, first, plane, connection.peer);
      addConnection(session);
      connection.socket.once('close', () => removeConnection(session));
    },
    onClosed: removeConnection,
  };

  function onConnection(socket: Socket, peer: Peer): void {
    addConnection(new CallerConnection(socket, plane, peer, connectionEvents));
  }

  repeat(SWEEP_MS, () => {
    const now = clock.now();
    for (const connection of connections) connection.sweep(now);
    for (const slot of routes.allSlots()) slot.sweep(now);
  });
  repeat(WATCH_EVERY_MS, () => watches.tick(clock.now()));
  repeat(LOAD_MS, () => {
    // What nobody hears is not lost: it is in the first report that somebody does.
    if (!subscriber.linked) return;
    const report = reportLoad(routes, clock.now());
    if (report.revisions.length > 0) subscriber.send(report);
  });

  async function stop(): Promise<void> {
    for (const timer of timers) timer.cancel();
    demand.close();
    peers.close();
    for (const slot of routes.allSlots()) slot.closeIdle();
    await subscriber.close();
  }

  let opening: Promise<Listener> | undefined;
  let listener: Listener | undefined;
  const { host, port, limits } = options;

  async function open(): Promise<Listener> {
    opening = createListener({
      ...options.entry,
      host,
      port,
      sharePort,
      connections: limits.connections,
      clock,
      log: options.log,
      onConnection,
      onRefused: (reason) => countEntryRefusal(metrics, reason),
    });
    listener = await opening;
    return listener;
  }

  async function openWhenStated(): Promise<void> {
    await stated.promise;
    if (!plane.closing) await open();
  }

  async function openNow(): Promise<Listener> {
    try {
      return await open();
    } catch (error) {
      await stop();
      throw error;
    }
  }

  return {
    host,
    port: sharePort ? port : (await openNow()).port,
    ready: sharePort ? openWhenStated() : stated.promise,
    metrics: formatAll,
    reload: () => listener?.reload(),
    async close(graceMs) {
      plane.closing = true;
      watches.endAll(clock.now());
      if (!listener) await opening;
      const closed = listener?.close();
      for (const connection of connections) connection.beginClose();
      const cut = clock.after(graceMs, () => {
        listener?.cut();
        for (const connection of connections) connection.cut();
      });
      await closed;
      cut.cancel();
      await stop();
    },
  };
}
