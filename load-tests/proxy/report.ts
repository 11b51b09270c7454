import { formatHead, type ReportHead } from '../measure/report.ts';
import { formatTable } from '#lib/table.ts';
import { formatFigure } from '../measure/table.ts';
import type { PeerName } from '../peers/peers.ts';
import type { Compared, PeerRow, Row } from './closed-loop.ts';
import type { Idle } from './idle.ts';
import { formatGoals } from './goals.ts';
import { type OpenLoop, RATE } from './open-loop.ts';
import type { Slow } from './slow.ts';

const KIB = 1024;

export interface Measured {
  readonly rows: Row[];
  readonly openLoop: OpenLoop[];
  readonly idle: Idle[];
  readonly slow: Slow[];
}

/** What the JSON file holds. */
export interface Report extends ReportHead<'proxy'>, Measured {
  readonly rounds: number;
  readonly secondsPerRound: number;
}

export function countFailed({ rows, openLoop }: Measured): number {
  const all = [...rows.flatMap(({ peers }) => peers), ...openLoop];
  return all.reduce((sum, { failed }) => sum + failed, 0);
}

export function formatReport(report: Report): string {
  const { rounds, secondsPerRound } = report;
  return [
    formatHead(report),
    `\`npm run bench:proxy -- --rounds ${rounds} --seconds ${secondsPerRound}\`: in turns; median (lowest–highest)`,
    ...report.rows.map(formatRow),
    ...(report.openLoop.length > 0 ? [formatOpenLoop(report.openLoop)] : []),
    ...(report.idle.length > 0 ? [formatIdle(report.idle)] : []),
    ...(report.slow.length > 0 ? [formatSlow(report.slow)] : []),
  ].join('\n\n');
}

function formatRow({ name, peers }: Row): string {
  const baselines = [...new Set(peers.flatMap((each) => baselinesOf(each.cpuMicros)))];
  const against = baselines.map((baseline) => `CPU / ${baseline}'s`);
  const speed = baselines.includes('haproxy') ? ["requests/s / haproxy's"] : [];
  const own = peers.find(({ peer }) => peer === 'rouse');
  const goals = own ? formatGoals(name, own) : '';
  const table = formatTable(
    [name, 'CPU µs', 'main', ...against, 'requests/s', ...speed, 'p50 ms', 'p99 ms', 'failed'],
    peers.map((each) => [each.peer, ...cells(each, baselines)]),
  );
  return goals === '' ? table : `${table}\n\nGoals of ${name}: ${goals}.`;
}

function cells(row: PeerRow, baselines: readonly PeerName[]): string[] {
  return [
    formatFigure(row.cpuMicros, 1, 1),
    row.mainMicros.median.toFixed(1),
    ...baselines.map((baseline) => ratio(row.cpuMicros, baseline)),
    formatFigure(row.perSecond),
    ...(baselines.includes('haproxy') ? [ratio(row.perSecond, 'haproxy')] : []),
    (row.p50Micros.median / 1000).toFixed(2),
    (row.p99Micros.median / 1000).toFixed(2),
    String(row.failed),
  ];
}

function ratio(figure: Compared, baseline: PeerName): string {
  const found = figure.to[baseline];
  return found ? formatFigure(found, 1, 2) : '';
}

function baselinesOf({ to }: Compared): PeerName[] {
  return (['haproxy', 'go'] as const).filter((name) => to[name] !== undefined);
}

function formatOpenLoop(all: readonly OpenLoop[]): string {
  return formatTable(
    [`open loop, ${RATE}/s`, 'p50 ms', 'p99 ms', "p99 / haproxy's", 'failed'],
    all.map(({ peer, p50Ms, p99Ms, p99ToHaproxy, failed }) => [
      peer,
      formatFigure(p50Ms, 1, 2),
      formatFigure(p99Ms, 1, 2),
      p99ToHaproxy ? formatFigure(p99ToHaproxy, 1, 2) : '',
      String(failed),
    ]),
  );
}

function formatIdle(all: readonly Idle[]): string {
  return formatTable(
    [`${all[0]?.connections} idle connections`, 'resident KiB each', 'heap KiB each'],
    all.map(({ peer, rssBytes, heapBytes }) => [
      peer,
      (rssBytes / KIB).toFixed(1),
      heapBytes === undefined ? '' : (heapBytes / KIB).toFixed(1),
    ]),
  );
}

function formatSlow(all: readonly Slow[]): string {
  return formatTable(
    [`${all[0]?.streams} stalled readers`, 'resident KiB each', 'other requests, ms'],
    all.map(({ peer, rssBytes, othersMs }) => [
      peer,
      (rssBytes / KIB).toFixed(0),
      formatFigure(othersMs, 1, 2),
    ]),
  );
}
