import { labelsOf, sample } from '#lib/prometheus.ts';
import type { RevisionRoute } from './routes.ts';

/** Prometheus text of what control has leased to this data plane, and of whether control is there. */
export function formatLeaseMetrics(routes: Iterable<RevisionRoute>, linked: boolean): string {
  const leased: string[] = [];
  for (const { gate, model, routing } of routes) {
    if (!gate.isLeased) continue;
    const { namespace, name } = model.routing;
    const labels = labelsOf({ namespace, model: name, revision: routing.name });
    leased.push(sample('rouse_leased_slots', labels, gate.leasedSlots));
  }
  return [
    '# TYPE rouse_leased_slots gauge',
    ...leased,
    '# TYPE rouse_control_linked gauge',
    sample('rouse_control_linked', '', linked ? 1 : 0),
    '',
  ].join('\n');
}
