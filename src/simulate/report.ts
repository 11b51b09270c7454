import { formatTable } from '#lib/table.ts';
import type { PolicyRow } from './compare.ts';

const HEAD = [
  'policy',
  'cold starts',
  'idle memory',
  'loads ahead',
  'cold p50',
  'p75',
  'p99',
  '× frontier',
];

export function formatComparison(rows: readonly PolicyRow[]): string {
  return formatTable(
    HEAD,
    rows.map((row) => [
      row.policy,
      `${row.cold} (${percent(row.cold / row.arrivals)})`,
      row.idleMemory.toPrecision(5),
      String(row.loads),
      percent(row.p50),
      percent(row.p75),
      percent(row.p99),
      row.toFrontier.toFixed(2),
    ]),
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
