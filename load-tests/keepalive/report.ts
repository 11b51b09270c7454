import { formatTable } from '#lib/table.ts';
import type { CapRow, EqualMemoryRow, OnlineRow, TraceResult } from './evaluate.ts';
import { checkGoals } from './goals.ts';

/** Counts of a replay, the same on every machine. */
export interface Report {
  readonly benchmark: 'keepalive';
  readonly at: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly traces: readonly TraceResult[];
}

export function formatReport({ traces }: Report): string {
  return [formatGoals(traces), ...traces.map(formatTrace)].join('\n\n');
}

function formatGoals(traces: readonly TraceResult[]): string {
  return formatTable(
    ['goal', 'at most', 'reached', 'met'],
    checkGoals(traces).map(({ goal, most, reached }) => [
      goal,
      most.toFixed(2),
      reached.toFixed(4),
      reached <= most ? 'yes' : 'no',
    ]),
  );
}

function formatTrace({
  trace,
  models,
  arrivals,
  equalMemory,
  online,
  capped,
}: TraceResult): string {
  return [
    `**${trace}**, ${models} models, ${arrivals} arrivals, at the baseline's memory:`,
    formatTable(
      [
        'baseline',
        'cold starts',
        'adaptive',
        'ratio (95 %)',
        '2nd half',
        '× frontier',
        'p75',
        'adaptive p75',
      ],
      equalMemory.map(formatEqual),
    ),
    `${trace}, the price found online for the memory of:`,
    formatTable(
      ['budget', 'memory, 2nd half', 'cold, 2nd half', 'bisected', 'ratio'],
      online.map(formatOnline),
    ),
    `${trace}, under a cap on memory:`,
    formatTable(
      ['cap', 'LRU', 'greedy-dual', 'adaptive', 'ratio to greedy-dual'],
      capped.map(formatCap),
    ),
  ].join('\n\n');
}

function formatEqual(row: EqualMemoryRow): string[] {
  return [
    row.baseline,
    String(row.cold),
    String(row.adaptive),
    formatRatio(row),
    row.lateRatio.toFixed(2),
    row.toFrontier.toFixed(2),
    formatPercent(row.p75),
    formatPercent(row.adaptiveP75),
  ];
}

function formatOnline(row: OnlineRow): string[] {
  return [
    row.budget,
    `${row.lateMemory.toFixed(3)} × budget`,
    String(row.lateCold),
    String(row.lateBisected),
    row.ratio.toFixed(3),
  ];
}

function formatCap(row: CapRow): string[] {
  const counts = [row.lru, row.greedyDual, row.adaptive].map(String);
  return [formatPercent(row.share), ...counts, formatRatio(row)];
}

function formatRatio({ ratio, low, high }: { ratio: number; low: number; high: number }): string {
  return `${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function formatPercent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
