import { formatMachine, type Machine } from '../measure/machine.ts';
import { formatTable } from '#lib/table.ts';
import type { Cold, Spread } from './wake.ts';

/** What the JSON file holds. */
export interface Report {
  readonly benchmark: 'cold';
  readonly at: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly rows: readonly Cold[];
  /** Rows that this machine cannot have, and why. */
  readonly skipped: readonly string[];
}

export function formatReport({ versions, machine, rows, skipped }: Report): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${names.join(', ')}; ${formatMachine(machine)}`,
    `${rows[0]?.wakes} wakes each, in turns with the bare loop; ms, p50 / p95`,
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
      ],
      rows.map(({ row, rouse, floor, overhead, noise, apart, phases, loadMs }) => [
        row,
        both(rouse),
        both(floor),
        both(overhead),
        both(noise),
        apart.p95.toFixed(1),
        ...[phases.queue, phases.start, phases.load, phases.infer, loadMs.median].map((ms) =>
          ms.toFixed(1),
        ),
        (rouse.p50 - loadMs.median).toFixed(1),
      ]),
    ),
    ...skipped.map((why) => `Skipped: ${why}.`),
  ].join('\n\n');
}

function both({ p50, p95 }: Spread): string {
  return `${p50.toFixed(1)} / ${p95.toFixed(1)}`;
}
