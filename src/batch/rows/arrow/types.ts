import {
  Bool,
  type DataType,
  DataType as Types,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  Precision,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';
import type { ColumnHead, ColumnType } from '../rows.ts';

/** Types of Arrow as those of columns, and back. */

/** Undefined for what V2 has no type for: it is read as text. */
export function columnTypeOf(type: DataType): ColumnType | undefined {
  if (Types.isBool(type)) return 'BOOL';
  if (Types.isInt(type)) return integerOf(type.isSigned, type.bitWidth);
  if (Types.isFloat(type)) return type.precision === Precision.DOUBLE ? 'FP64' : 'FP32';
  if (Types.isUtf8(type) || Types.isLargeUtf8(type)) return 'BYTES';
  return undefined;
}

function integerOf(isSigned: boolean, bits: 8 | 16 | 32 | 64): ColumnType {
  return isSigned ? `INT${bits}` : `UINT${bits}`;
}

/** Of a list of fixed or any length: the type of its items. */
export function itemTypeOf(type: DataType): DataType | undefined {
  if (Types.isFixedSizeList(type) || Types.isList(type)) return type.valueType;
  return undefined;
}

const MAKERS = {
  BOOL: () => new Bool(),
  INT8: () => new Int8(),
  INT16: () => new Int16(),
  INT32: () => new Int32(),
  INT64: () => new Int64(),
  UINT8: () => new Uint8(),
  UINT16: () => new Uint16(),
  UINT32: () => new Uint32(),
  UINT64: () => new Uint64(),
  FP32: () => new Float32(),
  FP64: () => new Float64(),
  BYTES: () => new Utf8(),
} as const satisfies Record<ColumnType, () => DataType>;

export function arrowTypeOf({ type, width }: ColumnHead): DataType {
  const item: DataType = MAKERS[type]();
  return width === undefined ? item : new FixedSizeList(width, new Field('item', item, true));
}
