import { Fault } from '#lib/fault.ts';
import { isBig, isTexts, makeValues } from '../rows/batches.ts';
import { COLUMN_TYPES, type ColumnType, type ColumnValues } from '../rows/rows.ts';

/**
 * Values to and from the tensors of the Open Inference Protocol V2: the binary form is little-endian in row-major
 * order, each BYTES element its length in four bytes and then its bytes; JSON has no NaN, which is text there.
 */

const LENGTH_BYTES = 4;
const HALF_BYTES = 2;
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function bytesOfValues(values: ColumnValues): Uint8Array {
  if (!isTexts(values)) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const texts = values.map((text) => Buffer.from(text));
  const bytes = Buffer.alloc(texts.reduce((sum, text) => sum + LENGTH_BYTES + text.length, 0));
  let at = 0;
  for (const text of texts) {
    at = bytes.writeUInt32LE(text.length, at);
    at += text.copy(bytes, at);
  }
  return bytes;
}

/** JSON as V2 has it, flat. FP16 is given as its bits. */
export function jsonOfValues(datatype: string, values: ColumnValues): string {
  if (isTexts(values)) return JSON.stringify(values);
  if (isBig(values)) return `[${values.join(',')}]`;
  if (datatype === 'BOOL') return `[${Array.from(values, (value) => value !== 0).join(',')}]`;
  const numbers = datatype === 'FP16' ? halvesIn(bytesOfValues(values)) : values;
  const items = Array.from(numbers, (value) => (Number.isFinite(value) ? value : `"${value}"`));
  return `[${items.join(',')}]`;
}

/** Of a tensor of `count` elements. Throws Fault `bad_upstream` where they do not fit. */
export function valuesOfBytes(datatype: string, bytes: Uint8Array, count: number): ColumnValues {
  if (datatype === 'FP16') {
    checkSize(bytes.length, count * HALF_BYTES);
    return Float32Array.from(halvesIn(bytes));
  }
  const values = makeValues(columnTypeOf(datatype), count);
  if (isTexts(values)) return textsOfBytes(bytes, count);
  checkSize(bytes.length, values.byteLength);
  new Uint8Array(values.buffer).set(bytes);
  return values;
}

/** The same of JSON values, flat. */
export function valuesOfJson(datatype: string, items: readonly unknown[]): ColumnValues {
  const values = makeValues(columnTypeOf(datatype), items.length);
  if (isTexts(values)) return items.map(String);
  if (isBig(values)) {
    for (const [index, item] of items.entries()) values[index] = bigOf(item, datatype);
  } else for (const [index, item] of items.entries()) values[index] = numberOf(item, datatype);
  return values;
}

/** FP16 is told as FP32: no format of a table has halves. */
export function columnTypeOf(datatype: string): ColumnType {
  const type = datatype === 'FP16' ? 'FP32' : COLUMN_TYPES.find((known) => known === datatype);
  if (type) return type;
  throw new Fault('bad_upstream', `the model answered a tensor of datatype ${datatype}`);
}

/** Copied: they may lie unaligned. */
function halvesIn(bytes: Uint8Array): Float16Array {
  return new Float16Array(new Uint8Array(bytes).buffer);
}

function textsOfBytes(bytes: Uint8Array, count: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (at + LENGTH_BYTES <= bytes.length && texts.length < count) {
    const end = at + LENGTH_BYTES + view.getUint32(at, true);
    texts.push(strictText.decode(bytes.subarray(at + LENGTH_BYTES, end)));
    at = end;
  }
  checkSize(bytes.length, at);
  if (texts.length === count) return texts;
  throw new Fault('bad_upstream', `the model answered ${texts.length} texts, expected ${count}`);
}

function numberOf(item: unknown, datatype: string): number {
  if (['number', 'boolean', 'bigint'].includes(typeof item)) return Number(item);
  if (typeof item === 'string' && /^(NaN|-?Infinity)$/.test(item)) return Number(item);
  throw wrongValue(item, datatype);
}

function bigOf(item: unknown, datatype: string): bigint {
  if (typeof item === 'bigint') return item;
  if (typeof item === 'number' && Number.isInteger(item)) return BigInt(item);
  throw wrongValue(item, datatype);
}

function wrongValue(item: unknown, datatype: string): Fault {
  const text = typeof item === 'bigint' ? String(item) : JSON.stringify(item);
  return new Fault('bad_upstream', `the model answered ${text} as ${datatype}`);
}

function checkSize(found: number, expected: number): void {
  if (found === expected) return;
  const text = `the model answered a tensor of ${found} bytes, expected ${expected}`;
  throw new Fault('bad_upstream', text);
}
