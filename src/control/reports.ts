import type { RevisionDemand, RevisionLoad } from '#bus/messages.ts';
import type { Report } from '#bus/publisher.ts';
import type { Autoscaler } from './autoscaling/autoscaler.ts';
import type { Catalog } from './records/catalog.ts';
import type { Drain } from './data-planes/drain.ts';
import type { Dozing } from './data-planes/dozing.ts';
import type { Instances } from './instances/instances.ts';
import type { Leases } from './leases/leases.ts';
import type { LoadBook } from './load.ts';
import type { AsyncRequests } from './requests/async-requests.ts';
import type { Retention } from './retention/retention.ts';
import type { OutcomeBook } from './rollout/outcomes.ts';
import type { Usage } from './usage.ts';

/** What becomes of each report of a data plane. */
export function createReportListener(parts: {
  catalog: Pick<Catalog, 'revision'>;
  autoscaler: Pick<Autoscaler, 'wake' | 'resume' | 'report' | 'served'>;
  leases: Pick<Leases, 'demand' | 'released'> | undefined;
  loads: Pick<LoadBook, 'demand'>;
  usage: Pick<Usage, 'report'>;
  retention: Pick<Retention, 'used'>;
  outcomes: Pick<OutcomeBook, 'report'>;
  drain: Pick<Drain, 'drained'>;
  dozing: Pick<Dozing, 'closed'>;
  instances: Pick<Instances, 'suspect' | 'reached'>;
  requests: Pick<AsyncRequests, 'onReport'> | undefined;
}): (dataPlane: string, message: Report) => void {
  const { catalog, autoscaler, leases, loads, usage, retention, outcomes } = parts;
  const { drain, dozing, instances } = parts;
  return (dataPlane, message) => {
    switch (message.type) {
      case 'wake':
        if (message.instance !== undefined) autoscaler.resume(message.revision, message.instance);
        autoscaler.wake(dataPlane, message.revision, message.queued, message.inFlight);
        leases?.demand(message.revision);
        retention.used(message.revision);
        return;
      case 'demand':
        loads.demand(dataPlane, message.revisions);
        for (const { revision } of message.revisions) leases?.demand(revision);
        autoscaler.served(message.revisions.filter(isServed).map(({ revision }) => revision));
        return;
      case 'released':
        leases?.released(dataPlane, message);
        return;
      case 'load':
        autoscaler.report(dataPlane, message.revisions);
        outcomes.report(message.revisions);
        usage.report(message.revisions.filter((load) => catalog.revision(load.revision)));
        for (const load of message.revisions) if (isUsed(load)) retention.used(load.revision);
        return;
      case 'drained':
        drain.drained(dataPlane, message.instance);
        return;
      case 'closed':
        dozing.closed(message.instance);
        return;
      case 'suspect':
        instances.suspect(message.instance, message.reason, message.hangs === true);
        return;
      case 'reached':
        instances.reached(message.instance);
        return;
      default:
        parts.requests?.onReport(dataPlane, message);
    }
  };
}

function isServed({ queued, inFlight }: RevisionDemand): boolean {
  return queued + inFlight === 0;
}

function isUsed({ arrivals, busySeconds, queued, inFlight }: RevisionLoad): boolean {
  return arrivals > 0 || busySeconds > 0 || queued > 0 || inFlight > 0;
}
