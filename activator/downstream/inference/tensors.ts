import { type BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { readFields, readRepeated, refuseAbove } from './messages.ts';

/**
 * Tensors as the binary tensor extension of V2 has them: little-endian elements in row-major order, each BYTES
 * element after its length in four bytes. Every machine that this runs on is little-endian.
 */

type Ints = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;
type Bigs = BigInt64Array | BigUint64Array;

interface Kind {
  /** The field of InferTensorContents that holds it; 0: it has none. */
  readonly field: number;
  /** Of the values, as elements. */
  readonly make: (values: readonly unknown[]) => Ints | Bigs | Float32Array | Float64Array;
}

const ofNumbers =
  <T extends Ints | Float32Array | Float64Array>(type: { from(values: number[]): T }) =>
  (values: readonly unknown[]): T =>
    type.from(values.map(Number));
const ofBigs =
  <T extends Bigs>(type: { from(values: bigint[]): T }) =>
  (values: readonly unknown[]): T =>
    type.from(values.map((value) => BigInt(typeof value === 'bigint' ? value : Number(value))));

const KINDS = new Map<string, Kind>([
  ['BOOL', { field: 1, make: ofNumbers(Uint8Array) }],
  ['INT8', { field: 2, make: ofNumbers(Int8Array) }],
  ['INT16', { field: 2, make: ofNumbers(Int16Array) }],
  ['INT32', { field: 2, make: ofNumbers(Int32Array) }],
  ['INT64', { field: 3, make: ofBigs(BigInt64Array) }],
  ['UINT8', { field: 4, make: ofNumbers(Uint8Array) }],
  ['UINT16', { field: 4, make: ofNumbers(Uint16Array) }],
  ['UINT32', { field: 4, make: ofNumbers(Uint32Array) }],
  ['UINT64', { field: 5, make: ofBigs(BigUint64Array) }],
  ['FP32', { field: 6, make: ofNumbers(Float32Array) }],
  ['FP64', { field: 7, make: ofNumbers(Float64Array) }],
  [
    'FP16',
    { field: 0, make: (values) => new Uint16Array(Float16Array.from(values.map(Number)).buffer) },
  ],
]);
const BYTES_FIELD = 8;
/** Typed contents take memory for each value; what has more comes as raw_input_contents, which take none. */
const MAX_VALUES = 1024 * 1024;
const TOO_MANY = 'values in typed contents, use raw_input_contents';

const READERS: Readonly<Record<number, (reader: BinaryReader) => unknown>> = {
  1: (reader) => reader.bool(),
  2: (reader) => reader.int32(),
  3: (reader) => BigInt(reader.int64()),
  4: (reader) => reader.uint32(),
  5: (reader) => BigInt(reader.uint64()),
  6: (reader) => reader.float(),
  7: (reader) => reader.double(),
};

/**
 * Packs an InferTensorContents.
 *
 * @throws Error: a field that is not the datatype's, or a value that it cannot hold.
 */
export function packContents(datatype: string, contents: Uint8Array): Uint8Array {
  if (datatype === 'BYTES') return packBytes(contents);
  const kind = KINDS.get(datatype);
  const read = kind && READERS[kind.field];
  if (!kind || !read)
    throw new RangeError(`${datatype} has no typed contents, use raw_input_contents`);
  const values: unknown[] = [];
  readFields(
    contents,
    (field, reader, wire) => {
      if (field !== kind.field) throw wrongField(field, datatype);
      readRepeated(reader, wire, () =>
        refuseAbove(MAX_VALUES, values.push(read(reader)), TOO_MANY),
      );
      return true;
    },
    MAX_VALUES + 1,
  );
  return pack(datatype, values);
}

function packBytes(contents: Uint8Array): Uint8Array {
  const elements: Uint8Array[] = [];
  readFields(
    contents,
    (field, reader, wire) => {
      if (field !== BYTES_FIELD || wire !== WireType.LengthDelimited)
        throw wrongField(field, 'BYTES');
      refuseAbove(MAX_VALUES, elements.push(reader.bytes()), TOO_MANY);
      return true;
    },
    MAX_VALUES + 1,
  );
  return joinBytes(elements);
}

function wrongField(field: number, datatype: string): Error {
  return new RangeError(`the contents have field ${field}, which is not that of ${datatype}`);
}

function joinBytes(elements: readonly Uint8Array[]): Uint8Array {
  const joined = Buffer.alloc(elements.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const element of elements) {
    joined.writeUInt32LE(element.length, at);
    joined.set(element, at + 4);
    at += 4 + element.length;
  }
  return joined;
}

/** JSON values, nested as the shape says or flat; big integers as bigints. Throws when they do not fit. */
export function packValues(datatype: string, data: unknown): Uint8Array {
  const values: unknown[] = Array.isArray(data) ? data.flat(Infinity) : [data];
  if (datatype === 'BYTES') return joinBytes(values.map((value) => Buffer.from(String(value))));
  return pack(datatype, values);
}

function pack(datatype: string, values: readonly unknown[]): Uint8Array {
  const kind = KINDS.get(datatype);
  if (!kind) throw new RangeError(`there is no datatype ${datatype}`);
  const array = kind.make(values);
  if (/INT/.test(datatype)) {
    // eslint-disable-next-line eqeqeq -- a bigint and a number of the same value
    const wrong = values.findIndex((value, i) => array[i] != value);
    if (wrong >= 0) throw new RangeError(`${String(values[wrong])} is no ${datatype}`);
  }
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
