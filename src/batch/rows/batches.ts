import type {
  BigValues,
  Column,
  ColumnHead,
  ColumnType,
  ColumnValues,
  NumberValues,
  RowBatch,
} from './rows.ts';

/** Batches of rows, cut and put together. */

const ARRAYS = {
  BOOL: Uint8Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type MutableValues = NumberValues | BigValues | string[];

export function makeValues(type: ColumnType, length: number): MutableValues {
  return type === 'BYTES' ? Array.from<string>({ length }).fill('') : new ARRAYS[type](length);
}

/** Numbers that lie in memory as these bytes; shares them. `bytes` is aligned. */
export function viewValues(
  type: Exclude<ColumnType, 'BYTES'>,
  bytes: Uint8Array<ArrayBuffer>,
): NumberValues | BigValues {
  const Values = ARRAYS[type];
  return new Values(bytes.buffer, bytes.byteOffset, bytes.byteLength / Values.BYTES_PER_ELEMENT);
}

export function isBig(values: Column['values']): values is BigValues {
  return values instanceof BigInt64Array || values instanceof BigUint64Array;
}

export function isTexts(values: Column['values']): values is readonly string[] {
  return Array.isArray(values);
}

/** Rows `start` to `end` of a batch; numbers are shared with it. */
export function sliceRows(batch: RowBatch, start: number, end: number): RowBatch {
  const bad = [...(batch.bad ?? [])].filter(([index]) => index >= start && index < end);
  return {
    first: batch.first + start,
    length: end - start,
    columns: batch.columns.map((column) => sliceColumn(column, start, end)),
    ...(bad.length > 0 && { bad: new Map(bad.map(([index, why]) => [index - start, why])) }),
  };
}

function sliceColumn(column: Column, start: number, end: number): Column {
  const width = column.width ?? 1;
  const each = nullsOfRow(column);
  const { values, nulls } = column;
  const from = start * width;
  const to = end * width;
  return {
    ...column,
    values: isTexts(values) ? values.slice(from, to) : values.subarray(from, to),
    ...(nulls && { nulls: nulls.subarray(start * each, end * each) }),
  };
}

/** How many values a row has. */
export function valuesOf(heads: readonly ColumnHead[]): number {
  return heads.reduce((sum, { width = 1 }) => sum + width, 0);
}

/** How many places of `nulls` a row has. */
export function nullsOfRow({ of }: ColumnHead): number {
  return of?.length ?? 1;
}

/** One row as JSON values: integers that no double holds as text, as are NaN and the infinities. */
export function rowOf(batch: RowBatch, index: number): Record<string, unknown> {
  return Object.fromEntries(batch.columns.flatMap((column) => cellsOf(column, index)));
}

function cellsOf(column: Column, index: number): [string, unknown][] {
  const { name, of, width: _, ...flat } = column;
  if (!of) return [[name, cellOf(column, index)]];
  return of.map((part, at) => [part, cellOf(flat, index * of.length + at)]);
}

function cellOf(
  { type, width, values, nulls }: Omit<Column, 'name' | 'of'>,
  index: number,
): unknown {
  if (nulls?.[index]) return null;
  if (width === undefined) return jsonOf(type, values[index]);
  return Array.from({ length: width }, (_, item) => jsonOf(type, values[index * width + item]));
}

function jsonOf(type: ColumnType, value: string | number | bigint | undefined): unknown {
  if (type === 'BOOL') return value !== 0;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** What a source read in one go, in batches of exactly `size` rows; the last one may be shorter. */
export async function* regroup(
  chunks: AsyncIterable<RowBatch>,
  heads: readonly ColumnHead[],
  first: number,
  size: number,
): AsyncGenerator<RowBatch> {
  const spare: MutableValues[][] = [];
  let next = startBatch(heads, first, size, spare);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      at += next.take(chunk, at);
      if (next.free() > 0) continue;
      const batch = next.finish();
      yield batch;
      next = startBatch(heads, batch.first + batch.length, size, spare);
    }
  }
  if (next.free() < size) yield next.finish();
}

interface OpenBatch {
  /** Copies rows from `at` on, as many as there is room for, and says how many. */
  take(chunk: RowBatch, at: number): number;
  free(): number;
  finish(): RowBatch;
}

/** `spare`: arrays of batches that were recycled. New ones cost more than what is copied into them. */
function startBatch(
  heads: readonly ColumnHead[],
  first: number,
  size: number,
  spare: MutableValues[][],
): OpenBatch {
  const arrays = spare.pop() ?? heads.map(({ type, width = 1 }) => makeValues(type, size * width));
  const columns = arrays.flatMap((values, index) => {
    const head = heads[index];
    return head ? startColumn(head, size, values) : [];
  });
  const bad = new Map<number, string>();
  let length = 0;
  return {
    take(chunk, at) {
      const count = Math.min(size - length, chunk.length - at);
      const part = sliceRows(chunk, at, at + count);
      for (const [index, column] of part.columns.entries()) columns[index]?.put(column, length);
      for (const [index, why] of part.bad ?? []) bad.set(length + index, why);
      length += count;
      return count;
    },
    free: () => size - length,
    finish() {
      let isSpare = false;
      const batch = {
        first,
        length: size,
        columns: columns.map((column) => column.column()),
        bad,
        recycle(): void {
          if (!isSpare) spare.push(arrays);
          isSpare = true;
        },
      };
      const { bad: none, ...clean } = batch;
      const whole: RowBatch = none.size > 0 ? batch : clean;
      return length === size ? whole : sliceRows(whole, 0, length);
    },
  };
}

interface OpenColumn {
  put(column: Column, at: number): void;
  column(): Column;
}

function startColumn(head: ColumnHead, size: number, values: MutableValues): OpenColumn {
  const width = head.width ?? 1;
  const each = nullsOfRow(head);
  let nulls: Uint8Array | undefined;
  return {
    put(column, at) {
      copyValues(column.values, values, at * width);
      if (!column.nulls) return;
      nulls ??= new Uint8Array(size * each);
      nulls.set(column.nulls, at * each);
    },
    column: () => ({ ...head, values, ...(nulls && { nulls }) }),
  };
}

/** Values `start` to `end` to places from `at` on. Both are of the same type. */
export function copyValues(
  from: ColumnValues,
  to: MutableValues,
  at: number,
  start = 0,
  end = from.length,
): void {
  if (isTexts(from)) {
    if (isTexts(to)) for (let i = start; i < end; i++) to[at + i - start] = from[i] ?? '';
  } else if (isBig(from)) {
    if (isBig(to)) to.set(from.subarray(start, end), at);
  } else if (!isTexts(to) && !isBig(to)) to.set(from.subarray(start, end), at);
}
