import { formatTable } from '#lib/table.ts';
import { formatHead, type ReportHead } from '../measure/report.ts';
import { formatFigure } from '../measure/table.ts';
import type { Asked, Beside } from './beside.ts';
import { goalsOf } from './goals.ts';
import { type Live, RATE } from './live.ts';
import type { Whole } from './whole.ts';

const MIB = 2 ** 20;

/** What the JSON file holds; a part that was not asked for is absent. */
export interface Report extends ReportHead<'batch'> {
  /** The smaller one first. */
  readonly whole?: readonly Whole[];
  /** On fewest instances first. */
  readonly beside?: readonly Beside[];
  readonly live?: Live;
}

export function formatReport(report: Report): string {
  const { whole, beside, live } = report;
  return [
    formatHead(report),
    ...(whole ? [formatWhole(whole)] : []),
    ...(beside ?? []).map(formatBeside),
    ...(live ? [formatLive(live)] : []),
    ...goalsOf(report).map(
      ({ words, value, isMet }) => `${words}: ${value.toFixed(2)}, ${isMet ? 'yes' : 'no'}`,
    ),
  ].join('\n\n');
}

function formatWhole(whole: readonly Whole[]): string {
  const head = ['from zero to zero', 's', 'rows/s', 'rows a request', 'PSS MiB', 'RSS MiB'];
  const names = [...new Set(whole.flatMap(({ memory }) => memory.parts.map(({ name }) => name)))];
  const rows = whole.map(({ rows: count, seconds, rowsPerSecond, batchSize, memory }) => [
    `${count} rows`,
    seconds.toFixed(1),
    rowsPerSecond.toFixed(0),
    batchSize.toFixed(0),
    (memory.pssBytes / MIB).toFixed(0),
    (memory.rssBytes / MIB).toFixed(0),
    ...names.map((name) => partOf(memory.parts, name)),
  ]);
  return formatTable([...head, ...names.map((name) => `PSS of ${name}`)], rows);
}

function partOf(parts: Whole['memory']['parts'], wanted: string): string {
  const bytes = parts
    .filter(({ name }) => name === wanted)
    .reduce((sum, { pssBytes }) => sum + pssBytes, 0);
  return (bytes / MIB).toFixed(0);
}

function formatBeside({
  rounds,
  instances,
  spare,
  batchSizes,
  job,
  direct,
  ratio,
}: Beside): string {
  const sizes = [...new Set(batchSizes)].join(', ');
  const head =
    `${instances} instances, ${spare} processors left over, ` +
    `${rounds} turns each, ${sizes} rows a request`;
  const names = [...new Set([job, direct].flatMap(({ cpu }) => Object.keys(cpu)))];
  const row = (name: string, { rowsPerSecond, cpu }: Asked, own: string): string[] => [
    name,
    formatFigure(rowsPerSecond),
    own,
    ...names.map((part) => cpu[part]?.median.toFixed(2) ?? ''),
  ];
  return formatTable(
    [head, 'rows/s', 'ratio', ...names.map((name) => `CPU µs a row: ${name}`)],
    [
      row('the job', job, formatFigure(ratio, 1, 2)),
      row('tight loop over its instances', direct, ''),
    ],
  );
}

function formatLive({ rounds, seconds, failed, p99Ms, p50Ms, ...rest }: Live): string {
  const row = (name: string, which: 'without' | 'with', more: string[]): string[] => [
    name,
    formatFigure(p50Ms[which], 1, 2),
    formatFigure(p99Ms[which], 1, 2),
    ...more,
  ];
  return [
    `${RATE} requests/s on the same model, ${rounds} rounds of ${seconds} s; ${failed} failed`,
    formatTable(
      ['callers', 'p50 ms', 'p99 ms', 'p99 with / without', 'processors left over', 'job rows/s'],
      [
        row('without the job', 'without', ['', formatFigure(rest.leftOver, 1, 2), '']),
        row('with it', 'with', [
          formatFigure(rest.ratio, 1, 2),
          '',
          formatFigure(rest.jobRowsPerSecond),
        ]),
      ],
    ),
  ].join('\n\n');
}
