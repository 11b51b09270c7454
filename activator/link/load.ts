import type { RevisionLoad, Upward } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';
import type { RevisionRoute, Routes } from '../routes.ts';

const REPORT_MS = 1000;

type LoadReport = Extract<Upward, { type: 'load' }>;

/** Tells control again and again what changed, and once when that has become nothing. */
export function reportLoad(options: {
  routes: Routes;
  timers: Timers;
  now: () => number;
  /** False: nobody would hear it. What is not told then is in the first report that somebody hears. */
  isLinked: () => boolean;
  send: (report: LoadReport) => void;
}): void {
  const { routes, timers, now, isLinked, send } = options;
  let hadLoad = false;
  let toldAt = now();
  timers.every(REPORT_MS, () => {
    if (!isLinked()) return;
    const at = now();
    const report = takeReport(routes, at, toldAt);
    toldAt = at;
    const hasLoad = report.revisions.length > 0;
    if (hasLoad || hadLoad) send(report);
    hadLoad = hasLoad;
  });
}

/** What changed per revision since the last report, at `since`; revisions with nothing to tell are left out. */
function takeReport(routes: Routes, at: number, since: number): LoadReport {
  const revisions: RevisionLoad[] = [];
  for (const route of routes.allRevisions()) {
    const load = takeLoad(route, since);
    if (load) revisions.push(load);
  }
  return { type: 'load', at, revisions };
}

function takeLoad({ key, gate, metrics }: RevisionRoute, since: number): RevisionLoad | undefined {
  if (!metrics) return undefined;
  const { inFlight, waiting, meter } = gate;
  if (!metrics.hasArrivals && inFlight === 0 && waiting === 0 && meter.isEmpty) return undefined;
  const { busyMs, meanConcurrency } = gate.takeMeans(since);
  return {
    revision: key,
    inFlight,
    queued: waiting,
    concurrency: meanConcurrency,
    busySeconds: busyMs / 1000,
    ...metrics.takeLoad(),
  };
}
