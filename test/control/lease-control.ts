import type { BusHost } from '#bus/bus.ts';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { followDataPlanes } from '#control/data-planes/data-planes.ts';
import { createDrain } from '#control/data-planes/drain.ts';
import { createLeases, type Leases } from '#control/leases/leases.ts';
import { createLoadBook } from '#control/load.ts';
import { createReportListener } from '#control/reports.ts';
import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';

/** The part of control that leases slots, in front of real data planes. */
export interface LeaseControl {
  readonly publisher: Publisher;
  readonly leases: Leases;
  /** The processes that live. */
  list(alive: readonly string[]): void;
  close(): Promise<void>;
}

/** `instances` are of one revision, and were there before. */
export function startLeaseControl(options: {
  host: BusHost;
  epoch: string;
  clock: Clock;
  models: readonly RoutingModel[];
  instances: readonly RoutingInstance[];
  concurrency: number;
  alive: readonly string[];
}): LeaseControl {
  const { host, epoch, clock, models, instances, concurrency, alive } = options;
  const publisher = createPublisher({ host, epoch, clock });
  const loads = createLoadBook(() => clock.now());
  const leases = createLeases({ clock, loads, send: (id, sent) => publisher.lease(id, sent) });
  publisher.update({ models, instances });
  for (const { id, revision } of instances) {
    leases.begin({ id, revision, capacity: concurrency, isNew: false });
  }
  const drain = createDrain(() => {});
  let list: (ids: readonly string[]) => void = () => {};
  const dataPlanes = followDataPlanes({
    links: publisher,
    listed: {
      leases,
      onProcesses(listener) {
        list = listener;
        listener(alive);
      },
    },
    drain,
    onLeft: (id) => loads.left(id),
    clock,
    log: silentLog,
  });
  publisher.onUpward(
    createReportListener({
      catalog: { revision: () => undefined },
      autoscaler: { ...loads, resume: () => {}, served: () => {} },
      leases,
      loads,
      usage: { report: () => {} },
      retention: { used: () => {} },
      outcomes: { report: () => {} },
      drain,
      dozing: { closed: () => {} },
      instances: { suspect: () => {}, reached: () => {} },
      requests: undefined,
    }),
  );
  return {
    publisher,
    leases,
    list: (ids) => list(ids),
    async close() {
      leases.close();
      dataPlanes.close();
      await publisher.close();
    },
  };
}
