import type { Report } from '#bus/publisher.ts';
import type { Autoscaler } from './autoscaler.ts';
import type { Catalog } from './catalog.ts';
import type { Drain } from './drain.ts';
import type { Instances } from './instances.ts';
import type { Leases } from './leases/leases.ts';
import type { LoadBook } from './load.ts';
import type { Usage } from './usage.ts';

/** What becomes of each report of a data plane. */
export function createReportListener(parts: {
  catalog: Pick<Catalog, 'revision'>;
  autoscaler: Pick<Autoscaler, 'wake' | 'report'>;
  leases: Pick<Leases, 'demand' | 'released'> | undefined;
  loads: Pick<LoadBook, 'demand'>;
  usage: Pick<Usage, 'report'>;
  drain: Pick<Drain, 'drained'>;
  instances: Pick<Instances, 'suspect'>;
}): (dataPlane: string, message: Report) => void {
  const { catalog, autoscaler, leases, loads, usage, drain, instances } = parts;
  return (dataPlane, message) => {
    switch (message.type) {
      case 'wake':
        autoscaler.wake(dataPlane, message.revision, message.queued, message.inFlight);
        leases?.demand(message.revision);
        return;
      case 'demand':
        loads.demand(dataPlane, message.revisions);
        for (const { revision } of message.revisions) leases?.demand(revision);
        return;
      case 'released':
        leases?.released(dataPlane, message);
        return;
      case 'load':
        autoscaler.report(dataPlane, message.revisions);
        usage.report(message.revisions.filter((load) => catalog.revision(load.revision)));
        return;
      case 'drained':
        drain.drained(dataPlane, message.instance);
        return;
      case 'suspect':
        instances.suspect(message.instance, message.reason, message.hangs === true);
        return;
      default:
    }
  };
}
