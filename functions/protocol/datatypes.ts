/**
 * The tensor datatypes of the Open Inference Protocol V2, one by one, and how each is held in memory.
 * BF16 is named by the protocol but not here: neither JavaScript nor the runtime can take it.
 */

export type TypedArray = NumberArray | BigArray;
export type BigArray = BigInt64Array | BigUint64Array;
export type NumberArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Elements in row-major order. FP16 is held as its bits, BOOL as 0 and 1, BYTES as text. */
export type TensorData = TypedArray | readonly string[];

export interface IntegerType {
  readonly kind: 'integer';
  readonly bytes: number;
  readonly min: number;
  readonly max: number;
  readonly make: (length: number) => NumberArray;
}

export interface BigType {
  readonly kind: 'big';
  readonly bytes: 8;
  readonly min: bigint;
  readonly max: bigint;
  readonly make: (length: number) => BigArray;
}

interface PlainType {
  readonly kind: 'bool' | 'half' | 'float';
  readonly bytes: number;
  readonly make: (length: number) => NumberArray;
}

interface TextType {
  readonly kind: 'text';
}

export const DATATYPES = {
  BOOL: { kind: 'bool', bytes: 1, make: (n: number) => new Uint8Array(n) },
  UINT8: { kind: 'integer', bytes: 1, min: 0, max: 255, make: (n: number) => new Uint8Array(n) },
  UINT16: {
    kind: 'integer',
    bytes: 2,
    min: 0,
    max: 65_535,
    make: (n: number) => new Uint16Array(n),
  },
  UINT32: {
    kind: 'integer',
    bytes: 4,
    min: 0,
    max: 2 ** 32 - 1,
    make: (n: number) => new Uint32Array(n),
  },
  UINT64: {
    kind: 'big',
    bytes: 8,
    min: 0n,
    max: 2n ** 64n - 1n,
    make: (n: number) => new BigUint64Array(n),
  },
  INT8: { kind: 'integer', bytes: 1, min: -128, max: 127, make: (n: number) => new Int8Array(n) },
  INT16: {
    kind: 'integer',
    bytes: 2,
    min: -32_768,
    max: 32_767,
    make: (n: number) => new Int16Array(n),
  },
  INT32: {
    kind: 'integer',
    bytes: 4,
    min: -(2 ** 31),
    max: 2 ** 31 - 1,
    make: (n: number) => new Int32Array(n),
  },
  INT64: {
    kind: 'big',
    bytes: 8,
    min: -(2n ** 63n),
    max: 2n ** 63n - 1n,
    make: (n: number) => new BigInt64Array(n),
  },
  FP16: { kind: 'half', bytes: 2, make: (n: number) => new Uint16Array(n) },
  FP32: { kind: 'float', bytes: 4, make: (n: number) => new Float32Array(n) },
  FP64: { kind: 'float', bytes: 8, make: (n: number) => new Float64Array(n) },
  BYTES: { kind: 'text' },
} as const satisfies Record<string, IntegerType | BigType | PlainType | TextType>;

export type Datatype = keyof typeof DATATYPES;

export const DATATYPE_NAMES = Object.keys(DATATYPES).join(', ');

export function isDatatype(name: unknown): name is Datatype {
  return typeof name === 'string' && Object.hasOwn(DATATYPES, name);
}

export function isTexts(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}

export function isBig(data: TypedArray): data is BigArray {
  return data instanceof BigInt64Array || data instanceof BigUint64Array;
}
