import type { TensorInfo } from '#domain/records.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import {
  DATATYPES,
  type Datatype,
  type TypedArray,
  isBig,
  isDatatype,
  isTexts,
} from '#functions/protocol/datatypes.ts';
import { isTypedArray, plainList, shorten } from '#functions/protocol/json.ts';
import { flatten, nest, shapeOf } from '#functions/protocol/nest.ts';
import type { Tensor } from '#functions/protocol/tensor.ts';
import { dataOfValues, numbersOfHalves } from '#functions/protocol/values.ts';

/** Tensors to and from what people write in JavaScript: lists, nested as the shape says. */

/**
 * What `predict` is given for a tensor: numbers, booleans and strings in nested lists; a plain value for shape
 * `[]`. Integers of 64 bits are numbers where a number can hold them, bigints elsewhere.
 */
export function argumentOf({ datatype, shape, data }: Tensor): unknown {
  if (isTexts(data)) return nest(data, shape);
  if (isBig(data)) return nest(Array.from(data, numberOrBig), shape);
  const { kind } = DATATYPES[datatype];
  if (kind === 'bool') {
    const flags = Array.from(data, (value) => value !== 0);
    return nest(flags, shape);
  }
  return nest(Array.from(kind === 'half' ? numbersOfHalves(data) : data), shape);
}

function numberOrBig(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** What `predict` returned as a tensor. Mistakes here are the model's, not the caller's. */
export function tensorOfResult(
  name: string,
  value: unknown,
  declared: readonly TensorInfo[],
): Tensor {
  try {
    return isTypedArray(value) ? ofTyped(name, value) : ofLists(name, value, declared);
  } catch (error) {
    throw new Fault('internal', `the model's ${messageOf(error)}`);
  }
}

const TYPED: Readonly<Record<string, Datatype>> = {
  Int8Array: 'INT8',
  Uint8Array: 'UINT8',
  Int16Array: 'INT16',
  Uint16Array: 'UINT16',
  Int32Array: 'INT32',
  Uint32Array: 'UINT32',
  BigInt64Array: 'INT64',
  BigUint64Array: 'UINT64',
  Float32Array: 'FP32',
  Float64Array: 'FP64',
};

/** A typed array names its datatype itself. */
function ofTyped(name: string, data: TypedArray): Tensor {
  const datatype = TYPED[data.constructor.name];
  if (!datatype) throw new Fault('internal', `output "${name}" is a ${data.constructor.name}`);
  return { name, datatype, shape: [data.length], data };
}

function ofLists(name: string, value: unknown, declared: readonly TensorInfo[]): Tensor {
  const where = `output "${name}"`;
  const list: unknown[] = Array.isArray(value) ? value.map(plainList) : [value];
  const shape = shapeOf(list, where);
  const values = flatten(list, shape, where);
  const info = declared.find((output) => output.name === name);
  const datatype = isDatatype(info?.datatype) ? info.datatype : datatypeOf(values, where);
  return { name, datatype, shape, data: dataOfValues(datatype, values.map(textOfNoNumber), where) };
}

/** NaN and infinities stand for themselves here. */
function textOfNoNumber(value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

const BY_TYPEOF: Readonly<Record<string, Datatype>> = {
  boolean: 'BOOL',
  string: 'BYTES',
  number: 'FP64',
  bigint: 'INT64',
};

function datatypeOf(values: readonly unknown[], where: string): Datatype {
  const types = new Set(values.map((value) => typeof value));
  // Integers of 64 bits that came in as numbers and bigints go out as what they were.
  if (types.has('bigint')) types.delete('number');
  const [type = 'number', other] = types;
  const datatype = BY_TYPEOF[type];
  if (datatype && !other) return datatype;
  const found = other ? `${type} and ${other}` : shorten(values[0]);
  throw new Fault(
    'internal',
    `${where}: found ${found}, expected numbers, booleans or strings, all of one kind`,
  );
}
