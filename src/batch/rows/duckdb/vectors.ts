import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { isTexts, viewValues } from '../batches.ts';
import { misfit } from '../cast.ts';
import type { Column, ColumnHead } from '../rows.ts';

/**
 * Columns of the library's chunks from and to arrays, many values at a time: through its objects, value by
 * value, reading takes as long as a small model does.
 */

/** Copies: the memory of a chunk is the library's. Rows that have a list with a null in it go to `bad`. */
export function readColumn(
  chunk: DuckDBDataChunk,
  index: number,
  head: ColumnHead,
  bad: Map<number, string>,
): Column {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
  const count = chunk.rowCount;
  const values =
    head.type === 'BYTES'
      ? readTexts(chunk, index, head)
      : readNumbers(vector, head, head.type, count);
  const nulls = readNulls(vector, count);
  const holes = head.width === undefined ? [] : rowsWithHoles(vector, head.width, count, nulls);
  if (holes.length === 0) return { ...head, values, ...(nulls && { nulls }) };
  const all = nulls ?? new Uint8Array(count);
  for (const row of holes) {
    all[row] = 1;
    bad.set(row, misfit(head, 'a list with null in it'));
  }
  return { ...head, values, nulls: all };
}

function rowsWithHoles(
  vector: duckdb.Vector,
  width: number,
  count: number,
  nulls: Uint8Array | undefined,
): number[] {
  const items = readNulls(duckdb.array_vector_get_child(vector), count * width);
  if (!items) return [];
  const rows: number[] = [];
  for (let row = 0; row < count; row++) {
    const hole = items.subarray(row * width, (row + 1) * width).includes(1);
    if (hole && !nulls?.[row]) rows.push(row);
  }
  return rows;
}

function readNumbers(
  vector: duckdb.Vector,
  { width }: ColumnHead,
  type: Exclude<ColumnHead['type'], 'BYTES'>,
  count: number,
): Column['values'] {
  const data = width === undefined ? vector : duckdb.array_vector_get_child(vector);
  const { BYTES_PER_ELEMENT } = viewValues(type, new Uint8Array(0));
  const bytes = duckdb.vector_get_data(data, count * (width ?? 1) * BYTES_PER_ELEMENT);
  return viewValues(type, new Uint8Array(bytes));
}

function readTexts(chunk: DuckDBDataChunk, index: number, { width }: ColumnHead): string[] {
  const vector = chunk.getColumnVector(index);
  const texts: string[] = [];
  for (let row = 0; row < chunk.rowCount; row++) {
    const item = vector.getItem(row);
    if (width === undefined) texts.push(typeof item === 'string' ? item : '');
    else texts.push(...textsOf(item, width));
  }
  return texts;
}

function textsOf(item: unknown, width: number): string[] {
  const items: unknown = typeof item === 'object' && item && 'items' in item ? item.items : [];
  return Array.from({ length: width }, (_, index) => {
    const text: unknown = Array.isArray(items) ? items[index] : undefined;
    return typeof text === 'string' ? text : '';
  });
}

/** Undefined when no row is null. */
function readNulls(vector: duckdb.Vector, count: number): Uint8Array | undefined {
  const bits = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8);
  if (!bits) return undefined;
  const nulls = new Uint8Array(count);
  let any = false;
  for (let row = 0; row < count; row++) {
    if (((bits[row >> 3] ?? 0) >> (row & 7)) & 1) continue;
    nulls[row] = 1;
    any = true;
  }
  return any ? nulls : undefined;
}

/** `column` has as many rows as the chunk. */
export function writeColumn(chunk: DuckDBDataChunk, index: number, column: Column): void {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
  const data = column.width === undefined ? vector : duckdb.array_vector_get_child(vector);
  const { values } = column;
  if (isTexts(values)) {
    for (const [at, text] of values.entries()) duckdb.vector_assign_string_element(data, at, text);
  } else {
    const bytes = new Uint8Array(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
    duckdb.copy_data_to_vector(data, 0, bytes.buffer, 0, bytes.length);
  }
  if (column.nulls) writeNulls(vector, column.nulls);
}

function writeNulls(vector: duckdb.Vector, nulls: Uint8Array): void {
  const bits = new Uint8Array(Math.ceil(nulls.length / 64) * 8).fill(0xff);
  for (const [row, isNull] of nulls.entries()) {
    if (isNull) bits[row >> 3] = (bits[row >> 3] ?? 0) & ~(1 << (row & 7));
  }
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.length);
}
