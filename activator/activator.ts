import type { StartTimes } from '#domain/cold-start.ts';
import { Timers } from '#lib/timers.ts';
import type { Log } from '#lib/log.ts';
import type { Addressing } from './addressing.ts';
import { Connections } from './downstream/connections.ts';
import { type ControlLinkOptions, createControlLink } from './link/control-link.ts';
import { createTraces } from './http/traceparent.ts';
import { findDestination } from './exchange/destination.ts';
import { createListener, type EntrySettings, type Listener } from './entry/listener.ts';
import {
  countEntryRefusal,
  countStart,
  createSharedMetrics,
  formatMetrics,
} from './metrics/metrics.ts';
import type { Plane, PlaneLimits } from './plane.ts';
import { createSuspects } from './link/suspects.ts';
import { Shadows } from './shadow/shadows.ts';
import { WATCH_EVERY_MS, Watches } from './status/watches.ts';

/** Deadlines are looked at this often: the precision of every time limit of the data plane. */
const SWEEP_MS = 100;

/** A port beside the first: what comes there meets the same routes and gates. */
interface MoreEntry {
  /** Addressing is told it. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly entry: EntrySettings;
}

export interface ActivatorOptions extends Omit<ControlLinkOptions, 'timers' | 'takesKeys'> {
  readonly host: string;
  readonly port: number;
  /**
   * Other data planes of this machine listen there, too. The system would give a part of the connections to one that
   * knows no model yet: it listens once it has a routing state.
   */
  readonly sharePort?: boolean;
  /** Where requests go, when that is not said in one of Rouse's ways. What comes is passed on as it is then. */
  readonly addressing?: Addressing;
  /** Fields of requests that Rouse understands go on to the next, and answers get none of them: this is a way in. */
  readonly transparent?: boolean;
  readonly limits: PlaneLimits;
  readonly version: string;
  /** So many bytes that nobody can guess, as hex digits. */
  readonly randomHex: (bytes: number) => string;
  readonly entry: EntrySettings;
  readonly more?: readonly MoreEntry[];
  readonly log: Log;
}

export interface Activator {
  readonly host: string;
  readonly port: number;
  /** Of `more`, in that order. */
  readonly morePorts: readonly number[];
  /** The first routing state has arrived, and it listens. Rejects when it could not listen then. */
  readonly ready: Promise<void>;
  /** In Prometheus' text form. */
  metrics(): string;
  /** Counts a start that requests have waited for. Control counts its own. */
  started(times: StartTimes): void;
  /** Accepts nothing new, lets what runs finish for at most `graceMs`, then cuts it off. */
  close(graceMs: number): Promise<void>;
  /** Reads the certificates again. */
  reload(): void;
}

/** The data plane: listens, routes, holds, wakes, balances, forwards. */
export async function createActivator(options: ActivatorOptions): Promise<Activator> {
  const { clock, addressing = findDestination, sharePort = false } = options;
  const metrics = createSharedMetrics();
  const timers = new Timers(clock);
  const control = createControlLink({
    ...options,
    timers,
    takesKeys: options.addressing === undefined,
  });
  const { routes, callers, inquiry, desk } = control;
  const watches = new Watches(inquiry);
  const isPassThrough = options.addressing !== undefined;
  const now = (): number => clock.now();
  const startTrace = isPassThrough ? () => '' : createTraces(options.randomHex);
  const suspects = createSuspects({ timers, send: control.send });
  const shadows = new Shadows({ now, startTrace, ...suspects });
  const plane: Plane = {
    routes,
    addressing,
    isPassThrough,
    isTransparent: options.transparent ?? false,
    callers,
    inquiry,
    watches,
    desk,
    metrics,
    limits: options.limits,
    version: options.version,
    heldBytes: 0,
    parties: routes.parties,
    streams: 0,
    closing: false,
    shadows,
    now,
    startTrace,
    ...suspects,
  };
  const connections = new Connections(plane);
  const formatAll = (): string =>
    formatMetrics(routes.allRevisions(), metrics, {
      heldBytes: plane.heldBytes,
      linked: control.linked,
    });
  control.onScrape(formatAll);
  timers.every(WATCH_EVERY_MS, () => watches.tick(clock.now()));
  let dueAt = now() + SWEEP_MS;
  let isPutOff = false;
  timers.every(SWEEP_MS, () => {
    const time = now();
    // The process stood still: what has come meanwhile is read before anybody is late. Put off once, not for ever.
    isPutOff = time - dueAt > SWEEP_MS && !isPutOff;
    dueAt = time + SWEEP_MS;
    if (isPutOff) return;
    connections.sweep(time);
    shadows.sweep(time);
    for (const instance of routes.instances.all()) instance.sweep(time);
  });

  async function stop(): Promise<void> {
    timers.close();
    shadows.close();
    for (const instance of routes.instances.all()) instance.close();
    await control.close();
  }

  /** Until it is open. */
  let opening: Promise<void> | undefined;
  const listeners: Listener[] = [];
  const { host, port, limits, entry, more = [] } = options;

  async function openOne(at: MoreEntry): Promise<void> {
    const listener = await createListener({
      ...at.entry,
      name: at.name,
      host: at.host,
      port: at.port,
      sharePort,
      connections: limits.connections,
      clock,
      log: options.log,
      onConnection: (socket, peer) => connections.add(socket, peer),
      onRefused: (reason) => countEntryRefusal(metrics, reason),
    });
    listeners.push(listener);
  }

  async function openAll(): Promise<void> {
    for (const at of [{ name: '', host, port, entry }, ...more]) await openOne(at);
  }

  async function open(): Promise<void> {
    opening = openAll();
    await opening;
    opening = undefined;
  }

  async function openWhenStated(): Promise<void> {
    await control.stated;
    if (!plane.closing) await open();
  }

  async function openNow(): Promise<void> {
    try {
      await open();
    } catch (error) {
      await Promise.all(listeners.map((listener) => listener.close()));
      await stop();
      throw error;
    }
  }

  if (!sharePort) await openNow();
  const [first, ...others] = listeners.map((listener) => listener.port);
  return {
    host,
    port: first ?? port,
    morePorts: others,
    ready: sharePort ? openWhenStated() : control.stated,
    metrics: formatAll,
    started: (times) => countStart(metrics, times),
    reload: () => listeners.forEach((listener) => listener.reload()),
    async close(graceMs) {
      plane.closing = true;
      watches.endAll(clock.now());
      desk.beginClose();
      // What follows happens at once where it can.
      if (opening) await opening;
      const closed = Promise.all(listeners.map((listener) => listener.close()));
      connections.beginClose();
      const cancelCut = timers.after(graceMs, () => {
        for (const listener of listeners) listener.cut();
        connections.cut();
      });
      await closed;
      cancelCut();
      await stop();
    },
  };
}
