import { Timers } from '#lib/timers.ts';
import type { Log } from '#lib/log.ts';
import type { Addressing } from './addressing.ts';
import { Connections } from './downstream/connections.ts';
import { type ControlLinkOptions, createControlLink } from './control-link.ts';
import { createTraces } from './http/traceparent.ts';
import { findDestination } from './exchange/destination.ts';
import { createListener, type EntrySettings, type Listener } from './entry/listener.ts';
import { countEntryRefusal, createSharedMetrics, formatMetrics } from './metrics/metrics.ts';
import type { Plane, PlaneLimits } from './plane.ts';
import { createSuspects } from './suspects.ts';

/** Deadlines are looked at this often: the precision of every time limit of the data plane. */
const SWEEP_MS = 100;

export interface ActivatorOptions extends Omit<ControlLinkOptions, 'timers'> {
  readonly host: string;
  readonly port: number;
  /**
   * Other data planes of this machine listen there, too. The system would give a part of the connections to one that
   * knows no model yet: it listens once it has a routing state.
   */
  readonly sharePort?: boolean;
  /** Where requests go, when that is not said in one of Rouse's ways. What comes is passed on as it is then. */
  readonly addressing?: Addressing;
  readonly limits: PlaneLimits;
  readonly version: string;
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
  const { clock, addressing = findDestination, sharePort = false } = options;
  const metrics = createSharedMetrics();
  const timers = new Timers(clock);
  const control = createControlLink({ ...options, timers });
  const { routes, callers, inquiry, watches } = control;
  const plane: Plane = {
    routes,
    addressing,
    isPassThrough: options.addressing !== undefined,
    callers,
    inquiry,
    watches,
    metrics,
    limits: options.limits,
    version: options.version,
    heldBytes: 0,
    streams: 0,
    closing: false,
    now: () => clock.now(),
    startTrace: createTraces(options.randomHex),
    ...createSuspects({ timers, send: control.send }),
  };
  const connections = new Connections(plane);
  const formatAll = (): string =>
    formatMetrics(routes.allRevisions(), metrics, {
      heldBytes: plane.heldBytes,
      linked: control.linked,
    });
  control.onScrape(formatAll);
  timers.every(SWEEP_MS, () => {
    const now = clock.now();
    connections.sweep(now);
    for (const instance of routes.allInstances()) instance.sweep(now);
  });

  async function stop(): Promise<void> {
    timers.close();
    for (const instance of routes.allInstances()) instance.close();
    await control.close();
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
      onConnection: (socket, peer) => connections.add(socket, peer),
      onRefused: (reason) => countEntryRefusal(metrics, reason),
    });
    listener = await opening;
    return listener;
  }

  async function openWhenStated(): Promise<void> {
    await control.stated;
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
    ready: sharePort ? openWhenStated() : control.stated,
    metrics: formatAll,
    reload: () => listener?.reload(),
    async close(graceMs) {
      plane.closing = true;
      watches.endAll(clock.now());
      if (!listener) await opening;
      const closed = listener?.close();
      connections.beginClose();
      const cancelCut = timers.after(graceMs, () => {
        listener?.cut();
        connections.cut();
      });
      await closed;
      cancelCut();
      await stop();
    },
  };
}
