import type { RowRange } from '../checkpoint.ts';

/**
 * Ranges of about the same length, in order and without a gap, each but the last one a multiple of `unit` long: with a
 * fixed batch size requests begin where those of one process would. As many as there are shards, fewer if there are
 * fewer units; none is empty.
 */
export function splitRows(rows: number, shards: number, unit: number): RowRange[] {
  const units = Math.ceil(rows / unit);
  const count = Math.max(1, Math.min(shards, units));
  const borderAt = (index: number): number =>
    Math.min(rows, Math.floor((units * index) / count) * unit);
  return Array.from({ length: count }, (_, index) => ({
    first: borderAt(index),
    past: borderAt(index + 1),
  }));
}

/** Of so many slots those of one shard: never none, or it would not get on. */
export function slotsOfShard(slots: number, shards: number, index: number): number {
  return Math.max(1, Math.floor(slots / shards) + (index < slots % shards ? 1 : 0));
}
