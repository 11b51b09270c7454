import { formatTable } from '#lib/table.ts';
import { formatHead, type ReportHead } from '../measure/report.ts';
import type { Replayed } from './replay.ts';

/** One window, by what keep-alive has learned and by the fixed time that takes as much memory. */
export interface WindowResult {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly adaptive: Replayed;
  /** Minutes of the trace. */
  readonly fixedMinutes: number;
  readonly fixed: Replayed;
}

/** What the JSON file holds. */
export interface Report extends ReportHead<'crowd'> {
  readonly models: number;
  readonly places: number;
  readonly faster: number;
  readonly windows: readonly WindowResult[];
}

export function countFailed({ places, windows }: Report): number {
  const runs = windows.flatMap(({ adaptive, fixed }) => [adaptive, fixed]);
  return runs.reduce(
    (sum, { lost, mostLoaded }) => sum + lost.length + Math.max(0, mostLoaded - places),
    0,
  );
}

export function formatReport(report: Report): string {
  const { models, places, windows } = report;
  const rows = windows.map(({ fromMinute, toMinute, adaptive, fixedMinutes, fixed }) => [
    `minutes ${fromMinute}–${toMinute}, ${adaptive.requests} requests`,
    String(adaptive.cold),
    String(fixed.cold),
    (adaptive.cold / fixed.cold).toFixed(2),
    `${adaptive.meanLoaded.toFixed(1)} / ${adaptive.mostLoaded}`,
    `${fixed.meanLoaded.toFixed(1)} / ${fixed.mostLoaded} (${fixedMinutes.toFixed(1)} min)`,
    String(adaptive.lost.length + fixed.lost.length),
  ]);
  const sum = (of: (one: WindowResult) => number): number =>
    windows.reduce((total, one) => total + of(one), 0);
  const cold = [sum(({ adaptive }) => adaptive.cold), sum(({ fixed }) => fixed.cold)];
  const all = ['all', ...cold.map(String), (cold[0]! / cold[1]!).toFixed(2), '', '', ''];
  const head = [
    `${models} models, memory for ${places}`,
    'cold, learned',
    'cold, fixed time',
    'ratio',
    'loaded, learned: mean / most',
    'loaded, fixed time',
    'lost',
  ];
  return [formatHead(report), formatTable(head, [...rows, all])].join('\n\n');
}
