import type { BatchRequest } from './job.ts';

/** What the spec of a batch means. Without its schema: a runner has no other use for what reads schemas, 15 MiB. */

/** Whether its rows are scored by several, each a range of them. */
export function isSharded({ shards = 1 }: Pick<BatchRequest, 'shards'>): boolean {
  return shards > 1;
}

/** How many rows may fail, of so many that were looked at. */
export function mostFailed(limit: string | undefined, rows: number): number {
  if (limit === undefined) return Infinity;
  return limit.endsWith('%') ? (Number(limit.slice(0, -1)) / 100) * rows : Number(limit);
}
