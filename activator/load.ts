import type { RevisionLoad, Upward } from '#bus/messages.ts';
import type { RevisionRoute, Routes } from './routes.ts';

/** What changed per revision since the last report; revisions with nothing to tell are left out. */
export function reportLoad(routes: Routes, at: number): Extract<Upward, { type: 'load' }> {
  const revisions: RevisionLoad[] = [];
  for (const route of routes.allRevisions()) {
    const load = takeLoad(route);
    if (load) revisions.push(load);
  }
  return { type: 'load', at, revisions };
}

function takeLoad({ key, gate, metrics }: RevisionRoute): RevisionLoad | undefined {
  if (!metrics) return undefined;
  if (metrics.arrivals === 0 && gate.inFlight === 0 && gate.waiting === 0 && gate.meter.isEmpty) {
    return undefined;
  }
  const { busyMs, meanConcurrency } = gate.takeMeans();
  const load = {
    revision: key,
    inFlight: gate.inFlight,
    queued: gate.waiting,
    concurrency: meanConcurrency,
    arrivals: metrics.arrivals,
    coldArrivals: metrics.coldArrivals,
    busySeconds: busyMs / 1000,
    coldSeconds: metrics.coldMs / 1000,
    ...metrics.outcomes.take(),
  };
  metrics.arrivals = 0;
  metrics.coldArrivals = 0;
  metrics.coldMs = 0;
  return load;
}
