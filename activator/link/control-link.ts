import type { BusClient } from '#bus/bus.ts';
import { createSubscriber, type Subscriber } from '#bus/subscriber.ts';
import type { Clock } from '#lib/clock.ts';
import type { Timers } from '#lib/timers.ts';
import { Callers } from '../callers.ts';
import { createDemand } from './demand.ts';
import { reportLoad } from './load.ts';
import { createRequestDesk, type RequestDesk } from '../request-desk.ts';
import { createOtherPlanes } from '../status/other-planes.ts';
import { Routes } from '../routes.ts';
import { NOTHING_WAITS } from '../status/waits.ts';
import { Inquiry } from '../status/inquiry.ts';

export interface ControlLinkOptions {
  readonly client: BusClient;
  /** A name of this data plane, unique among those of one control. */
  readonly dataPlane: string;
  /** There may be others at the same control: what waits there is asked for, too. */
  readonly hasOthers?: boolean;
  /** What model hosts end with: `digits.default.<domain>`. */
  readonly domain: string;
  /** So many data planes share what may wait for a model; 1 when it is not said. */
  readonly processes?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Callers may show keys of Rouse. */
  readonly takesKeys?: boolean;
  /** Uniform in [0, 1). */
  readonly roll: () => number;
}

/** What a data plane knows from control, and what it tells control in return. */
export interface ControlLink {
  readonly routes: Routes;
  readonly callers: Callers;
  readonly inquiry: Inquiry;
  readonly desk: RequestDesk;
  /** The first routing state has arrived. */
  readonly stated: Promise<void>;
  readonly linked: boolean;
  /** Dropped while control is away. */
  send: Subscriber['send'];
  /** Control asks for metrics. */
  onScrape(format: () => string): void;
  close(): Promise<void>;
}

export function createControlLink(options: ControlLinkOptions): ControlLink {
  const { clock, timers } = options;
  const send: ControlLink['send'] = (message) => subscriber.send(message);
  const routes = new Routes(options, {
    onWake(wanted, roused) {
      demand.follow(wanted.revision);
      send({ type: 'wake', ...wanted, ...(roused && { instance: roused.id }) });
    },
    onQuiet: (revision) => demand.quiet(revision),
    onReleased: ({ id, claimed, sequence }) =>
      send({ type: 'released', instance: id, slots: claimed, sequence }),
    onDrained: (instance) => send({ type: 'drained', instance: instance.id }),
    onClosed: (instance) => send({ type: 'closed', instance: instance.id }),
    now: () => clock.now(),
    roll: options.roll,
  });
  const callers = new Callers(options.takesKeys);
  const stated = Promise.withResolvers<void>();
  const demand = createDemand({
    routes,
    timers,
    send: (revisions) => send({ type: 'demand', revisions }),
  });
  const otherPlanes = createOtherPlanes({
    timers,
    send(question) {
      send({ type: 'ask', ...question });
      return subscriber.linked;
    },
  });
  const desk = createRequestDesk({ timers, isLinked: () => subscriber.linked, send });
  const inquiry = new Inquiry(options.hasOthers ? otherPlanes : undefined);
  const subscriber = createSubscriber({
    client: options.client,
    dataPlane: options.dataPlane,
    onState(change) {
      callers.apply(change);
      routes.apply(change);
      stated.resolve();
    },
    leases: () => routes.instances.leases(),
    onLease: (leases) => routes.instances.lease(leases),
    tell({ revision, request }) {
      const route = routes.findRevision(revision);
      return route ? inquiry.waitsOf(route, request, clock.now()) : NOTHING_WAITS;
    },
    onAnswers: (answers) => otherPlanes.onAnswers(answers),
    onReply: (id, reply) => desk.onReply(id, reply),
    onUnlinked() {
      desk.onUnlinked();
      for (const instance of routes.instances.all()) instance.gate.keepClaimed(instance);
    },
  });
  subscriber.onLink(() => {
    for (const route of routes.allRevisions()) route.gate.wakeAgain();
    for (const instance of routes.instances.all()) instance.gate.drainAgain(instance);
  });
  reportLoad({
    routes,
    timers,
    now: () => clock.now(),
    isLinked: () => subscriber.linked,
    send,
  });
  return {
    routes,
    callers,
    inquiry,
    desk,
    stated: stated.promise,
    get linked() {
      return subscriber.linked;
    },
    send,
    onScrape: (format) => subscriber.onScrape(format),
    close: () => subscriber.close(),
  };
}
