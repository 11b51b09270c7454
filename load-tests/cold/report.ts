import { formatHead, type ReportHead } from '../measure/report.ts';
import { formatGoal, goalOf } from './goals.ts';
import { formatTable } from '#lib/table.ts';
import type { Cold, Spread } from './wake.ts';

/** What the JSON file holds. */
export interface Report extends ReportHead<'cold'> {
  readonly rows: readonly Cold[];
  /** Rows that this machine cannot have, and why. */
  readonly skipped: readonly string[];
}

export function formatReport(report: Report): string {
  const { rows, skipped } = report;
  return [
    formatHead(report),
    `\`npm run bench:cold -- --wakes ${rows[0]?.wakes}\`: in turns with the bare loop; ms, p50 / p95`,
    formatTable(
      [
        'cold start',
        'Rouse',
        'bare loop',
        'overhead',
        'bare less bare',
        'Rouse p95 less bare p95',
        'queue',
        'start',
        'load',
        'infer',
        'own load',
        'all but own load',
        'goal, met?',
      ],
      rows.map(cellsOf),
    ),
    ...skipped.map((why) => `Skipped: ${why}.`),
  ].join('\n\n');
}

function cellsOf(cold: Cold): string[] {
  const { row, rouse, floor, overhead, noise, apart, phases, loadMs } = cold;
  const parts = [phases.queue, phases.start, phases.load, phases.infer, loadMs.median];
  return [
    row,
    both(rouse),
    both(floor),
    both(overhead),
    both(noise),
    apart.p95.toFixed(1),
    ...parts.map((ms) => ms.toFixed(1)),
    (rouse.p50 - loadMs.median).toFixed(1),
    formatGoal(goalOf(cold)),
  ];
}

function both({ p50, p95 }: Spread): string {
  return `${p50.toFixed(1)} / ${p95.toFixed(1)}`;
}
