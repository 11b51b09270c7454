import { formatMachine, type Machine } from '../measure/machine.ts';
import { formatFigure, formatTable } from '../measure/table.ts';
import type { PeerName } from '../peers/peers.ts';
import type { Compared, PeerRow, Row } from './closed-loop.ts';

/** What the JSON file holds. */
export interface Report {
  readonly benchmark: 'proxy';
  readonly at: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly rows: readonly Row[];
}

export function formatReport(report: Report): string {
  const { rounds, secondsPerRound, machine, versions } = report;
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${names.join(', ')}; ${formatMachine(machine)}`,
    `${rounds} rounds of ${secondsPerRound} s each, in turns: median (lowest–highest)`,
    ...report.rows.map(formatRow),
  ].join('\n\n');
}

function formatRow({ name, peers }: Row): string {
  const baselines = [...new Set(peers.flatMap((each) => keysOf(each.cpuMicros)))];
  const against = baselines.map((baseline) => `CPU / ${baseline}'s`);
  return formatTable(
    [name, 'CPU µs', 'main thread', ...against, 'requests/s', 'p50 ms', 'p99 ms', 'failed'],
    peers.map((each) => [each.peer, ...cells(each, baselines)]),
  );
}

function cells(row: PeerRow, baselines: readonly PeerName[]): string[] {
  return [
    formatFigure(row.cpuMicros, 1, 1),
    row.mainMicros.median.toFixed(1),
    ...baselines.map((baseline) => ratio(row.cpuMicros, baseline)),
    formatFigure(row.perSecond),
    (row.p50Micros.median / 1000).toFixed(2),
    (row.p99Micros.median / 1000).toFixed(2),
    String(row.failed),
  ];
}

function ratio(figure: Compared, baseline: PeerName): string {
  const found = figure.to[baseline];
  return found ? formatFigure(found, 1, 2) : '';
}

function keysOf({ to }: Compared): PeerName[] {
  return (['haproxy', 'go'] as const).filter((name) => to[name] !== undefined);
}
