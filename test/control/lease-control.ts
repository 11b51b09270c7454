import type { BusHost } from '#bus/bus.ts';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { createLeases, type Leases } from '#control/leases.ts';
import { createLoadBook } from '#control/load.ts';
import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';

/** The part of control that leases slots, in front of real data planes. */
export interface LeaseControl {
  readonly publisher: Publisher;
  readonly leases: Leases;
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
  leases.onProcesses(alive);
  for (const { id, revision } of instances) {
    leases.begin({ id, revision, capacity: concurrency, isNew: false });
  }
  publisher.onJoined((id, held) => leases.joined(id, held));
  publisher.onLeft((id) => leases.left(id));
  publisher.onUpward((dataPlane, message) => {
    if (message.type === 'load') loads.report(dataPlane, message.revisions);
    else if (message.type === 'released') leases.released(dataPlane, message);
    else if (message.type === 'wake') {
      const { revision, queued, inFlight } = message;
      loads.wake(dataPlane, revision, queued, inFlight);
      leases.demand(revision);
    } else if (message.type === 'demand') {
      loads.demand(dataPlane, message.revisions);
      for (const { revision } of message.revisions) leases.demand(revision);
    }
  });
  return {
    publisher,
    leases,
    async close() {
      leases.close();
      await publisher.close();
    },
  };
}
