import { Fault, messageOf } from '#lib/fault.ts';
import type { TypedArray } from './datatypes.ts';

declare global {
  interface JSON {
    /** Stands in Node, not yet in the TypeScript libraries. */
    rawJSON(text: string): unknown;
  }
}

/**
 * An integer literal that a double may not hold: 2^53 has 16 digits. Only such a text is parsed the exact
 * way, which is several times slower; the digits of a fraction do not count.
 */
const LONG_INTEGER = /(?<![\d.])\d{16,}(?![\d.eE])/;

/** Parses JSON; integers that a double cannot hold become bigints. */
export function parseJson(text: string, what: string): unknown {
  try {
    return LONG_INTEGER.test(text) ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch (error) {
    throw new Fault('bad_request', `${what} is no JSON: ${messageOf(error)}`);
  }
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** A bigint as a JSON number, digit by digit. */
export function bigToJson(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(String(value));
}

/** JSON has no NaN and no infinities: they are written as text, as in the JSON form of protocol buffers. */
export function floatToJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Writes what a model answered: typed arrays as arrays, bigints exactly, NaN as text. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'number') return floatToJson(item);
    if (typeof item === 'bigint') return bigToJson(item);
    return plainList(item);
  });
}

export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** A typed array as a list; anything else as it is. */
export function plainList(value: unknown): unknown {
  return isTypedArray(value) ? Array.from<unknown>(value) : value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value for an error message: short, on one line. */
export function shorten(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return String(value);
  const text = Array.isArray(value) ? 'a list' : isRecord(value) ? 'an object' : formatJson(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
