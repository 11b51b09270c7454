import { formatTable } from '#lib/table.ts';
import { formatHead, type ReportHead } from '../measure/report.ts';
import type { Foretold } from './foretell.ts';
import type { Replayed } from './replay.ts';

/** One window, by what keep-alive has learned and by the fixed time that takes as much memory. */
export interface WindowResult {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly adaptive: Replayed;
  /** Minutes of the trace. */
  readonly fixedMinutes: number;
  readonly fixed: Replayed;
  /** The same on a virtual clock. */
  readonly simulated: Foretold;
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
  const rows = windows.map(({ fromMinute, toMinute, adaptive, fixedMinutes, fixed, simulated }) => [
    `minutes ${fromMinute}–${toMinute}, ${adaptive.requests} requests`,
    String(adaptive.cold),
    String(fixed.cold),
    (adaptive.cold / fixed.cold).toFixed(2),
    String(adaptive.woken),
    `${adaptive.meanLoaded.toFixed(1)} / ${adaptive.mostLoaded}`,
    `${fixed.meanLoaded.toFixed(1)} / ${fixed.mostLoaded} (${fixedMinutes.toFixed(1)} min)`,
    `${simulated.adaptive} / ${simulated.fixed}`,
    String(adaptive.lost.length + fixed.lost.length),
  ]);
  const sum = (of: (one: WindowResult) => number): number =>
    windows.reduce((total, one) => total + of(one), 0);
  const [learned, fixed] = [sum((one) => one.adaptive.cold), sum((one) => one.fixed.cold)];
  const woken = sum((one) => one.adaptive.woken);
  const simulated = `${sum((one) => one.simulated.adaptive)} / ${sum((one) => one.simulated.fixed)}`;
  const ratio = (learned / fixed).toFixed(2);
  const all = ['all', ...[learned, fixed, ratio, woken].map(String), '', '', simulated, ''];
  const head = [
    `${models} models, memory for ${places}`,
    'cold, learned',
    'cold, fixed time',
    'ratio',
    'woken, learned',
    'loaded, learned: mean / most',
    'loaded, fixed time',
    'simulated: cold, learned / fixed time',
    'lost',
  ];
  return [formatHead(report), formatTable(head, [...rows, all])].join('\n\n');
}
