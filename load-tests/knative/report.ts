import { formatTable } from '#lib/table.ts';
import type { Figure } from '../measure/figures.ts';
import { formatHead, type ReportHead } from '../measure/report.ts';
import { formatFigure } from '../measure/table.ts';
import type { Ratio } from './bootstrap.ts';
import type { Cold } from './cold.ts';
import type { Held } from './held.ts';
import type { Extent } from './options.ts';
import type { Warm } from './warm.ts';

export interface Measured {
  readonly warm: Warm;
  readonly held: readonly Held[];
  readonly cold: Cold;
}

/** What the JSON file holds. */
export interface Report extends ReportHead<'knative'>, Measured {
  readonly extent: Omit<Extent, 'wrk'>;
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;

export function formatReport(report: Report): string {
  const { rounds, seconds, wakes, services, held } = report.extent;
  const options = `--rounds ${rounds} --seconds ${seconds} --wakes ${wakes} --services ${services} --held ${held}`;
  return [
    formatHead(report),
    `\`npm run bench:knative -- ${options}\`: in turns, on one cluster, both activators with the same limits; median (lowest–highest)`,
    formatWarm(report.warm),
    formatHeld(report.held),
    formatCold(report.cold),
  ].join('\n\n');
}

function formatWarm({ rows, ratios }: Warm): string {
  const table = formatTable(
    ['32 connections', 'CPU µs per request', 'requests/s', 'p50 ms', 'p99 ms', 'failed'],
    rows.map((row) => [
      row.way === 'direct' ? 'no activator' : row.way,
      row.cpuMicros ? formatFigure(row.cpuMicros, 1, 1) : '',
      formatFigure(row.perSecond),
      formatFigure(row.p50Micros, 1000, 2),
      formatFigure(row.p99Micros, 1000, 2),
      String(row.failed),
    ]),
  );
  const goals = [
    goal("CPU / stock's", ratios.cpuToStock, 'most', 0.4),
    goal('requests/s / no activator', ratios.perSecondToDirect, 'least', 0.9),
    goal("p99 / stock's", ratios.p99ToStock, 'most', 0.5),
  ];
  const stock = `requests/s of stock / no activator ${formatFigure(ratios.stockPerSecondToDirect, 1, 2)}`;
  return `${table}\n\n${goals.join('; ')}; ${stock}.`;
}

function goal(what: string, figure: Figure, bound: 'most' | 'least', value: number): string {
  const isMet = bound === 'most' ? figure.median <= value : figure.median >= value;
  return `${what} ${formatFigure(figure, 1, 2)}, goal ${bound === 'most' ? '≤' : '≥'} ${value}: ${isMet ? 'yes' : 'no'}`;
}

function formatHeld(all: readonly Held[]): string {
  return formatTable(
    [
      `${all[0]?.requests} held requests`,
      'resident MiB before',
      'with them',
      'KiB each',
      'refused',
    ],
    all.map(({ activator, requests, beforeBytes, withBytes, refused }) => [
      activator,
      (beforeBytes / MIB).toFixed(0),
      (withBytes / MIB).toFixed(0),
      ((withBytes - beforeBytes) / KIB / requests).toFixed(1),
      String(refused),
    ]),
  );
}

function formatCold({ services, rows, ratios }: Cold): string {
  const table = formatTable(
    [
      `wakes of ${services} services`,
      'wakes',
      'p50 ms',
      'p95 ms',
      'highest ms',
      'pod made, median ms',
      'then its address',
      'then the answer',
    ],
    rows.map(({ activator, wakes, p50, p95, high, phases }) => {
      const { made, address, answer } = phases;
      const times = [p50, p95, high, made, address, answer].map((ms) => ms.toFixed(0));
      return [activator, String(wakes), ...times];
    }),
  );
  const p50 = formatRatio("p50 / stock's", ratios.p50, 1);
  const p95 = formatRatio("p95 / stock's", ratios.p95, 0.9);
  return `${table}\n\n${p50}; ${p95}.`;
}

function formatRatio(what: string, { value, low, high }: Ratio, most: number): string {
  const isMet = value <= most ? 'yes' : 'no';
  return `${what} ${value.toFixed(2)} (95 %: ${low.toFixed(2)}–${high.toFixed(2)}), goal ≤ ${most}: ${isMet}`;
}
