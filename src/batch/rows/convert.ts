import { isBig, isTexts, makeValues, type MutableValues, rowOf } from './batches.ts';
import { misfit } from './cast.ts';
import type { Column, ColumnHead } from './rows.ts';

/**
 * A column as another type, where its format does not do that itself. `canRead` was asked before. Of values that do
 * not fit, `bad` says the first of each row; their places are null.
 */
export function convertColumn(column: Column, to: ColumnHead, bad: Map<number, string>): Column {
  if (column.type === to.type && column.width === to.width) return column;
  if (to.type === 'BYTES' && to.width === undefined)
    return { ...textColumn(column), name: to.name };
  const width = to.width ?? 1;
  const length = column.values.length / width;
  const values = makeValues(to.type, column.values.length);
  const nulls = Uint8Array.from(column.nulls ?? new Uint8Array(length));
  for (let row = 0; row < length; row++) {
    if (nulls[row]) continue;
    const wrong = convertRow(column, values, to, row * width, width);
    if (wrong === undefined) continue;
    nulls[row] = 1;
    if (!bad.has(row)) bad.set(row, misfit(to, String(wrong)));
  }
  return { ...to, values, ...(nulls.includes(1) && { nulls }) };
}

/** The first value that does not fit. */
function convertRow(
  { values }: Column,
  into: MutableValues,
  to: ColumnHead,
  start: number,
  width: number,
): string | number | bigint | undefined {
  for (let at = start; at < start + width; at++) {
    const value = values[at] ?? 0;
    if (!put(into, at, value, to)) return value;
  }
  return undefined;
}

/** False when it does not fit. A float may lose digits, an integer may not. */
function put(
  into: MutableValues,
  at: number,
  value: string | number | bigint,
  { type }: ColumnHead,
): boolean {
  if (isTexts(into)) {
    into[at] = String(value);
    return true;
  }
  if (typeof value === 'string') return false;
  if (isBig(into)) {
    if (typeof value === 'number' && !Number.isInteger(value)) return false;
    const big = BigInt(value);
    into[at] = big;
    return into[at] === big;
  }
  const number = Number(value);
  into[at] = number;
  if (type === 'FP32' || type === 'FP64') {
    return Number.isFinite(into[at]) || !Number.isFinite(number);
  }
  if (type === 'BOOL') return number === 0 || number === 1;
  return into[at] === number;
}

function textColumn(column: Column): Column {
  const { name, nulls } = column;
  const length = column.values.length / (column.width ?? 1);
  const batch = { first: 0, length, columns: [column] };
  const values = Array.from({ length }, (_, row) => {
    const cell = rowOf(batch, row)[name];
    return typeof cell === 'string' ? cell : JSON.stringify(cell);
  });
  return { name, type: 'BYTES', values, ...(nulls && { nulls }) };
}
