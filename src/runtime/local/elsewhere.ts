import type { Clock } from '#lib/clock.ts';
import type { Launcher, Reports } from '../replica.ts';
import type { Workload } from '../runtime.ts';
import { createProbe, ELSEWHERE, type Place, type Probe } from './ready/probe.ts';

/**
 * What runs elsewhere, as an instance. Nothing is started. While its revision is not Ready it is asked until it
 * answers; after that the data plane sees with each request how it is.
 */
export function reachElsewhere(
  workload: Workload,
  address: Place & { readonly node: string },
  clock: Clock,
  reports: Reports,
): ReturnType<Launcher> {
  const { source, readiness } = workload.spec;
  let probe: Probe | undefined;
  let isOver = false;

  function begin(): void {
    if (isOver) return;
    reports.started();
    if (workload.unproven) probe = ask();
    else reports.ready(address);
  }

  function ask(): Probe {
    return createProbe({
      to: address,
      path: readiness.path,
      grpc: readiness.grpc === true,
      hold: false,
      pace: ELSEWHERE,
      clock,
      describeFailure: (why) => `nothing answers at ${source}: ${why}`,
      onReady: () => reports.ready(address),
    });
  }

  function end(): void {
    isOver = true;
    probe?.close();
    queueMicrotask(() => reports.ended('was let go', []));
  }

  queueMicrotask(begin);
  return { terminate: end, kill: end, seen: () => probe?.seen() };
}
