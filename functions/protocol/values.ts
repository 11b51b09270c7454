import { Fault } from '#lib/fault.ts';
import {
  type BigType,
  DATATYPES,
  type Datatype,
  type IntegerType,
  type TensorData,
  isBig,
  isTexts,
} from './datatypes.ts';
import { bigToJson, floatToJson, shorten } from './json.ts';

/** The values of a tensor to and from JSON values. */

const NO_NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** Row-major JSON values as the elements of a tensor. `where` names the tensor: `input "x"`. */
export function dataOfValues(
  datatype: Datatype,
  values: readonly unknown[],
  where: string,
): TensorData {
  const type = DATATYPES[datatype];
  const refusal = (index: number, expected: string): Fault => {
    const found = shorten(values[index]);
    return new Fault('bad_request', `${where}[${index}]: found ${found}, expected ${expected}`);
  };
  if (type.kind === 'bool') return ofBooleans(values, refusal);
  if (type.kind === 'text') return ofTexts(values, refusal);
  if (type.kind === 'integer') return ofIntegers(values, type, `${datatype}, an integer`, refusal);
  if (type.kind === 'big') return ofBigs(values, type, `${datatype}, an integer`, refusal);
  if (type.kind === 'float') {
    return ofFloats(values, type.make(values.length), datatype, refusal);
  }
  const halves = ofFloats(values, new Float16Array(values.length), datatype, refusal);
  return new Uint16Array(halves.buffer);
}

type Refusal = (index: number, expected: string) => Fault;

function ofBooleans(values: readonly unknown[], refusal: Refusal): Uint8Array {
  const data = new Uint8Array(values.length);
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'boolean') throw refusal(index, 'BOOL, true or false');
    data[index] = value ? 1 : 0;
  }
  return data;
}

function ofIntegers(
  values: readonly unknown[],
  { min, max, make }: IntegerType,
  what: string,
  refusal: Refusal,
): TensorData {
  const data = make(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      data[index] = value;
    } else throw refusal(index, `${what} from ${min} to ${max}`);
  }
  return data;
}

function ofBigs(
  values: readonly unknown[],
  { min, max, make }: BigType,
  what: string,
  refusal: Refusal,
): TensorData {
  const data = make(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    const big = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof big === 'bigint' && big >= min && big <= max) data[index] = big;
    else throw refusal(index, `${what} from ${min} to ${max}`);
  }
  return data;
}

function ofFloats<A extends Float16Array | Float32Array | Float64Array>(
  values: readonly unknown[],
  data: A,
  datatype: Datatype,
  refusal: Refusal,
): A {
  for (let index = 0; index < values.length; index++) {
    const number = floatOf(values[index]);
    if (number === undefined) {
      throw refusal(index, `${datatype}, a number or one of "NaN", "Infinity", "-Infinity"`);
    }
    data[index] = number;
    // Too large for the type: it would silently become an infinity.
    if (Number.isFinite(number) && !Number.isFinite(data[index])) {
      throw refusal(index, `a number that ${datatype} can hold`);
    }
  }
  return data;
}

function floatOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && Object.hasOwn(NO_NUMBERS, value)
    ? NO_NUMBERS[value]
    : undefined;
}

function ofTexts(values: readonly unknown[], refusal: Refusal): readonly string[] {
  return values.map((value, index) => {
    if (typeof value !== 'string') throw refusal(index, 'BYTES, a string');
    if (!value.isWellFormed()) throw refusal(index, 'a string without unpaired surrogates');
    return value;
  });
}

/** The elements of a tensor as row-major JSON values; integers that are no doubles are raw JSON. */
export function valuesOfData(datatype: Datatype, data: TensorData): unknown[] {
  if (isTexts(data)) return [...data];
  if (isBig(data)) return Array.from(data, bigToJson);
  const { kind } = DATATYPES[datatype];
  if (kind === 'bool') return Array.from(data, (value) => value !== 0);
  if (kind === 'half') return Array.from(numbersOfHalves(data), floatToJson);
  return kind === 'float' ? Array.from(data, floatToJson) : Array.from(data);
}

/** FP16 is held as its bits. */
export function numbersOfHalves(bits: Exclude<TensorData, readonly string[]>): Float16Array {
  return new Float16Array(bits.buffer, bits.byteOffset, bits.length);
}
