import { formatSize } from '#domain/format-size.ts';
import { formatTable } from '#lib/table.ts';
import type { PolicyRow } from './compare.ts';
import type { Trace } from './trace.ts';

/** Less is not the memory of a model: the trace counts in something else. */
const LEAST_BYTES = 1024;

const HEAD = [
  'policy',
  'cold starts',
  'cold p50',
  'p75',
  'p99',
  'woken',
  'idle memory',
  'plans',
  'unload at once',
  'load ahead',
  'evictions',
  '× frontier',
];

/**
 * Percentiles are over models, of the share of its arrivals that were cold. `load ahead`: plans that would, and loads
 * that were carried out. `woken`: arrivals that found it parked.
 */
export function formatComparison(
  rows: readonly PolicyRow[],
  { bytesPerUnit }: Pick<Trace, 'bytesPerUnit'>,
): string {
  return formatTable(
    HEAD,
    rows.map((row) => [
      row.policy,
      `${row.cold} (${formatShare(row.cold / row.arrivals)})`,
      ...[row.p50, row.p75, row.p99].map(formatShare),
      String(row.woken),
      formatMemory(row.idleMemory, bytesPerUnit),
      String(row.decisions.plans),
      String(row.decisions.atOnce),
      `${row.decisions.ahead}, ${row.loads} loads`,
      String(row.decisions.evictions),
      row.toFrontier.toFixed(2),
    ]),
  );
}

/** Where a trace says no memory each model takes 1. */
function formatMemory(units: number, bytesPerUnit = 0): string {
  const bytes = units * bytesPerUnit;
  return bytes < LEAST_BYTES ? units.toPrecision(5) : formatSize(bytes);
}

function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
