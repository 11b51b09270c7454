import { copyValues, makeValues, nullsOfRow } from '../rows/batches.ts';
import type { Column, ColumnHead, ColumnValues, RowBatch } from '../rows/rows.ts';

/** Rows taken out of a batch, and answers put together. */

/** The rows of these indices, which rise. */
export function pickRows(batch: RowBatch, indices: readonly number[]): RowBatch {
  if (indices.length === batch.length) return batch;
  const { first } = batch;
  const columns = batch.columns.map((column) => pickColumn(column, indices));
  return { first, length: indices.length, columns };
}

function pickColumn(column: Column, indices: readonly number[]): Column {
  const { type, values, nulls, width = 1 } = column;
  const picked = makeValues(type, indices.length * width);
  for (const [at, row] of indices.entries()) {
    copyValues(values, picked, at * width, row * width, (row + 1) * width);
  }
  if (!nulls) return { ...column, values: picked };
  const each = nullsOfRow(column);
  const kept = new Uint8Array(indices.length * each);
  for (const [at, row] of indices.entries()) {
    kept.set(nulls.subarray(row * each, (row + 1) * each), at * each);
  }
  return { ...column, values: picked, nulls: kept };
}

/** One behind the other; all are alike. Undefined: there are none. */
export function joinColumns(parts: readonly (readonly Column[])[]): readonly Column[] | undefined {
  const [first] = parts;
  if (!first || parts.length === 1) return first;
  return first.map((column, index) =>
    joinValues(
      column,
      parts.map((columns) => columns[index]?.values ?? []),
    ),
  );
}

function joinValues(column: Column, lists: readonly ColumnValues[]): Column {
  const length = lists.reduce((sum, values) => sum + values.length, 0);
  const joined = makeValues(column.type, length);
  let at = 0;
  for (const values of lists) {
    copyValues(values, joined, at);
    at += values.length;
  }
  return { ...column, values: joined };
}

export function isAlike(a: readonly ColumnHead[], b: readonly ColumnHead[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, type, width }, index) => {
      const other = b[index];
      return other?.name === name && other.type === type && other.width === width;
    })
  );
}
