import type { ColumnHead, ColumnType } from './rows.ts';

/** Which columns can be read as what, whatever their format. */

export function isNumeric(type: ColumnType): boolean {
  return type !== 'BYTES' && type !== 'BOOL';
}

export function isInteger(type: ColumnType): boolean {
  return isNumeric(type) && type !== 'FP32' && type !== 'FP64';
}

/** Whether a value of it may be one of the other. Each value is looked at when it is read: 1.5 is no INT64. */
export function canRead(from: ColumnHead, to: ColumnHead): boolean {
  if (from.width !== to.width) return to.type === 'BYTES' && to.width === undefined;
  if (from.type === to.type || to.type === 'BYTES') return true;
  if (to.type === 'BOOL') return isInteger(from.type);
  return from.type !== 'BYTES';
}

/** `INT64`, `FP32 × 64`. */
export function formatType({ type, width }: Pick<ColumnHead, 'type' | 'width'>): string {
  return width === undefined ? type : `${type} × ${width}`;
}

/** What a row says that does not fit. `found`: the value, shortened. */
export function misfit(column: ColumnHead, found: string): string {
  const wanted =
    column.width === undefined
      ? column.type
      : `a list of ${column.width} ${column.type}, none of them null`;
  return `column "${column.name}": found ${found}, expected ${wanted}`;
}
