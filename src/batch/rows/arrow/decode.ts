import { DataType, type Data, type Vector } from 'apache-arrow';
import { copyValues, isBig, isTexts, makeValues, type MutableValues } from '../batches.ts';
import { misfit } from '../cast.ts';
import type { Column, ColumnHead } from '../rows.ts';
import { columnTypeOf, itemTypeOf } from './types.ts';

/** Columns of Arrow's record batches as arrays. */

/** `head`: as `headOf` made it. Rows whose list is of another length go to `bad`. */
export function decodeColumn(vector: Vector, head: ColumnHead, bad: Map<number, string>): Column {
  const { length } = vector;
  const values = makeValues(head.type, length * (head.width ?? 1));
  const nulls = new Uint8Array(length);
  const isTime = DataType.isTimestamp(vector.type) || DataType.isDate(vector.type);
  let row = 0;
  for (const data of vector.data) {
    const plain = head.width === undefined && bulkOf(data);
    if (plain) copyValues(plain, values, row);
    for (let index = 0; index < data.length; index++, row++) {
      if (!data.getValid(index)) nulls[row] = 1;
      else if (!plain) {
        const cell: unknown = vector.get(row);
        decodeRow(isTime ? timeOf(cell) : cell, row, head, { values, nulls, bad });
      }
    }
  }
  return { ...head, values, ...(nulls.includes(1) && { nulls }) };
}

/** The numbers themselves, where they lie as they are held here. */
function bulkOf({
  type,
  values,
  length,
}: Data): Exclude<Column['values'], readonly string[]> | undefined {
  const plain = DataType.isInt(type) || (DataType.isFloat(type) && type.ArrayType !== Uint16Array);
  return plain ? values.subarray(0, length) : undefined;
}

function decodeRow(
  cell: unknown,
  row: number,
  head: ColumnHead,
  into: { values: MutableValues; nulls: Uint8Array; bad: Map<number, string> },
): void {
  if (head.width === undefined) {
    put(into.values, row, cell);
    return;
  }
  const items = isList(cell) ? Array.from(cell) : [];
  const whole = items.length === head.width && items.every((item) => item !== null);
  if (whole)
    for (const [at, item] of items.entries()) put(into.values, row * head.width + at, item);
  else {
    into.nulls[row] = 1;
    if (!into.bad.has(row)) into.bad.set(row, misfit(head, `a list of ${items.length}`));
  }
}

/** The library gives milliseconds since the epoch. */
function timeOf(cell: unknown): string {
  return new Date(Number(cell)).toISOString();
}

function isList(cell: unknown): cell is Iterable<unknown> {
  return typeof cell === 'object' && cell !== null && Symbol.iterator in cell;
}

function put(values: MutableValues, at: number, cell: unknown): void {
  if (isTexts(values)) values[at] = textOf(cell);
  else if (isBig(values)) values[at] = typeof cell === 'bigint' ? cell : 0n;
  else values[at] = Number(cell);
}

function textOf(cell: unknown): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'object' && cell !== null && 'toJSON' in cell) return JSON.stringify(cell);
  return String(cell);
}

/** `vector`: of the first batch, for how long lists are. */
export function headOf(name: string, vector: Vector): ColumnHead {
  const { type } = vector;
  const scalar = columnTypeOf(type);
  if (scalar) return { name, type: scalar };
  const item = itemTypeOf(type);
  const itemType = item && columnTypeOf(item);
  const width = DataType.isFixedSizeList(type) ? type.listSize : firstLength(vector);
  return itemType && width > 0 ? { name, type: itemType, width } : { name, type: 'BYTES' };
}

function firstLength(vector: Vector): number {
  for (const cell of vector) if (isList(cell)) return Array.from(cell).length;
  return 0;
}
