import type { Report as ColdReport } from '../cold/report.ts';
import { formatTable } from '#lib/table.ts';
import { formatFigure } from '../measure/table.ts';
import type { PeerRow } from '../proxy/closed-loop.ts';
import type { Report as ProxyReport } from '../proxy/report.ts';

/** For the README of the project: the warm path as ratios to HAProxy and Go, losses too. */
export function summariseProxy({ rows, openLoop }: ProxyReport): string {
  const closed = rows.map(({ name, peers }) => rowOf(name, peers));
  const open = openLoop.find(({ peer }) => peer === 'rouse')?.p99ToHaproxy;
  return [
    formatTable(
      ['Rouse', 'CPU µs', "CPU / HAProxy's", "CPU / Go's", "requests/s / HAProxy's"],
      closed,
    ),
    ...(open
      ? [`p99 at 1,000 requests/s, open loop: ${formatFigure(open, 1, 2)} × HAProxy's.`]
      : []),
  ].join('\n\n');
}

function rowOf(name: string, peers: readonly PeerRow[]): string[] {
  const own = peers.find(({ peer }) => peer === 'rouse');
  if (!own) return [name];
  const { cpuMicros, perSecond } = own;
  const ratios = [cpuMicros.to.haproxy, cpuMicros.to.go, perSecond.to.haproxy];
  return [
    name,
    cpuMicros.median.toFixed(1),
    ...ratios.map((ratio) => (ratio ? formatFigure(ratio, 1, 2) : '')),
  ];
}

export function summariseCold({ rows }: ColdReport): string {
  return formatTable(
    ['cold start, p50', 'Rouse ms', 'bare loop ms', 'overhead ms'],
    rows.map(({ row, rouse, floor, overhead }) => [
      row,
      rouse.p50.toFixed(1),
      floor.p50.toFixed(1),
      overhead.p50.toFixed(1),
    ]),
  );
}
