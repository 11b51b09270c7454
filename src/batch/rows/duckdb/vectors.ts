import type { DuckDBDataChunk } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { isTexts, viewValues } from '../batches.ts';
import { misfit } from '../cast.ts';
import type { Column, ColumnHead } from '../rows.ts';
import type { Weaver } from '../weave.ts';

/**
 * Columns of the library's chunks from and to arrays, many values at a time: through its objects, value by
 * value, reading takes as long as a small model does.
 */

/**
 * The columns of a chunk, which has them as `heads` say, woven. Copies: the memory of a chunk is the library's, and whoever
 * calls has the chunk until this returns. Rows that have a list with a null in it go to `bad`.
 */
export function readColumns(
  chunk: DuckDBDataChunk,
  heads: readonly ColumnHead[],
  weave: Weaver,
  bad: Map<number, string>,
): Column[] {
  const parts = heads.map((head, index) => viewColumn(chunk, index, head, bad));
  return weave(parts, chunk.rowCount).map((column) => {
    const { values } = column;
    if (column.of || isTexts(values)) return column;
    return Object.assign({}, column, { values: values.slice() });
  });
}

/** Its numbers lie in the memory of the chunk. */
function viewColumn(
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
      : viewNumbers(vector, head, head.type, count);
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

/** The rows of which the column of texts at `index` says something, with that. */
export function* readNotes(chunk: DuckDBDataChunk, index: number): Generator<[number, string]> {
  const count = chunk.rowCount;
  const bits = readBits(duckdb.data_chunk_get_vector(chunk.chunk, index), count);
  // As nearly all chunks are: of a vector of texts the library makes much more.
  if (bits?.every((eight) => eight === 0)) return;
  const vector = chunk.getColumnVector(index);
  for (let row = 0; row < count; row++) {
    const note = vector.getItem(row);
    if (typeof note === 'string') yield [row, note];
  }
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

function viewNumbers(
  vector: duckdb.Vector,
  { width }: ColumnHead,
  type: Exclude<ColumnHead['type'], 'BYTES'>,
  count: number,
): Column['values'] {
  const data = width === undefined ? vector : duckdb.array_vector_get_child(vector);
  const { BYTES_PER_ELEMENT } = viewValues(type, new Uint8Array(0));
  const bytes = duckdb.vector_get_data(data, count * (width ?? 1) * BYTES_PER_ELEMENT);
  const { buffer, byteOffset, byteLength } = bytes;
  const isOwn = buffer instanceof ArrayBuffer;
  const own = isOwn ? new Uint8Array(buffer, byteOffset, byteLength) : new Uint8Array(bytes);
  return viewValues(type, own);
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
  const bits = readBits(vector, count);
  if (!bits) return undefined;
  let nulls: Uint8Array | undefined;
  for (let row = 0; row < count; row++) {
    const eight = bits[row >> 3] ?? 0;
    if (eight === 0xff) row |= 7;
    else if (((eight >> (row & 7)) & 1) === 0) {
      nulls ??= new Uint8Array(count);
      nulls[row] = 1;
    }
  }
  return nulls;
}

/** One bit for each row, 0 where it is null. Undefined when no row is. */
function readBits(vector: duckdb.Vector, count: number): Uint8Array | undefined {
  // What its type does not tell: it gives null then.
  const bits: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8);
  return bits ?? undefined;
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
