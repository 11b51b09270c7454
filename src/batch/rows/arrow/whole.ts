import { type Data, DataType, type RecordBatch } from 'apache-arrow';
import { Fault } from '#lib/fault.ts';

/** A row is a byte at least in what is made of it, also where a batch has a bit for each, or nothing. */
const MAX_BATCH_ROWS = 8 * 2 ** 20;

/** Throws where a batch does not hold as many values as it declares: the library takes what is missing for zeros. */
export function checkWhole({ numRows, data }: RecordBatch): void {
  if (numRows > MAX_BATCH_ROWS) {
    const message = `a batch of ${numRows} rows; expected at most ${MAX_BATCH_ROWS}: write it in smaller ones`;
    throw new Fault('too_large', message);
  }
  if (data.children.some((child) => child.length !== numRows || !isWhole(child))) {
    throw new Fault('invalid', `a batch of ${numRows} rows does not hold as many`);
  }
}

function isWhole(data: Data): boolean {
  const { type, length, stride, children } = data;
  const values: number = data.values?.length ?? 0;
  if (length === 0 || DataType.isNull(type) || DataType.isUnion(type)) return true;
  if (DataType.isBool(type)) return values * 8 >= length;
  if (DataType.isStruct(type)) return children.every((child) => isLong(child, length));
  if (DataType.isFixedSizeList(type)) return isLong(children[0], length * stride);
  if (isListOfAnyLength(type)) return isLong(children[0], lastOffset(data));
  if (data.valueOffsets) return lastOffset(data) <= values;
  return values >= length * stride;
}

function isListOfAnyLength(type: DataType): boolean {
  return DataType.isList(type) || DataType.isLargeList(type) || DataType.isMap(type);
}

function isLong(child: Data | undefined, length: number): boolean {
  return child !== undefined && child.length >= length && isWhole(child);
}

/** Infinity: there are too few. */
function lastOffset({ valueOffsets, length }: Data): number {
  return Number(valueOffsets[length] ?? Infinity);
}
