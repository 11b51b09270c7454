import { Fault } from '#lib/fault.ts';
import type { MappedInput } from '../rows/map.ts';
import { packInput } from '../rows/pack.ts';
import type { Column, RowBatch } from '../rows/rows.ts';
import {
  bytesOfValues,
  columnTypeOf,
  jsonOfValues,
  valuesOfBytes,
  valuesOfJson,
} from './tensors.ts';

/** Rows as a V2 inference request, and its answer as columns. */

export interface InferBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
}

/** The length of the JSON head of a message with binary tensors. */
const HEAD_LENGTH = 'inference-header-content-length';

export function makeInferBody(
  batch: RowBatch,
  inputs: readonly MappedInput[],
  binary: boolean,
): InferBody {
  const tail: Uint8Array[] = [];
  const tensors = inputs.map((input) => {
    const { name, datatype, shape, data } = packInput(input, batch);
    const head = `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`;
    if (!binary) return `{${head},"data":${jsonOfValues(datatype, data)}}`;
    const bytes = bytesOfValues(data);
    tail.push(bytes);
    return `{${head},"parameters":{"binary_data_size":${bytes.length}}}`;
  });
  const wants = binary ? ',"parameters":{"binary_data_output":true}' : '';
  const head = Buffer.from(`{"inputs":[${tensors.join(',')}]${wants}}`);
  const chunks = [head, ...tail];
  return {
    chunks,
    bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    headers: binary
      ? { 'content-type': 'application/octet-stream', [HEAD_LENGTH]: String(head.length) }
      : { 'content-type': 'application/json' },
  };
}

/** What the model answered for `rows` rows. Throws Fault `bad_upstream` where it is no such answer. */
export function parseInferAnswer(
  body: Buffer,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  rows: number,
): Column[] {
  const length = Number(headers[HEAD_LENGTH] ?? body.length);
  const head = parseHead(body.toString('utf8', 0, length));
  let at = length;
  return head.map((output) => {
    const { name, datatype, shape } = readOutput(output, rows);
    const count = shape.reduce((product, size) => product * size, 1);
    const size = sizeOf(output['parameters']);
    const values =
      size === undefined
        ? valuesOfJson(datatype, flatten(output['data'], count, name))
        : valuesOfBytes(datatype, body.subarray(at, at + size), count);
    at += size ?? 0;
    const column = { name, type: columnTypeOf(datatype), values };
    return shape.length > 1 ? Object.assign(column, { width: count / rows }) : column;
  });
}

type Loose = Readonly<Record<string, unknown>>;

function parseHead(text: string): Loose[] {
  const outputs = looseOf(parse(text))['outputs'];
  if (Array.isArray(outputs)) return outputs.map(looseOf);
  throw noAnswer('there are no outputs');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, exactly);
  } catch {
    throw noAnswer('it is no JSON');
  }
}

/** Integers that a double cannot hold become bigints. */
function exactly(_key: string, value: unknown, { source = '' }: { source?: string } = {}): unknown {
  const isInexact = typeof value === 'number' && !Number.isSafeInteger(value);
  return isInexact && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

function readOutput(
  { name, datatype, shape }: Loose,
  rows: number,
): { name: string; datatype: string; shape: number[] } {
  if (typeof name !== 'string' || typeof datatype !== 'string' || !Array.isArray(shape)) {
    throw noAnswer('an output has no name, datatype or shape');
  }
  const sizes = shape.map(Number);
  if (sizes[0] === rows) return { name, datatype, shape: sizes };
  throw noAnswer(`output "${name}" has shape [${sizes.join(',')}] for ${rows} rows`);
}

function sizeOf(parameters: unknown): number | undefined {
  if (parameters === undefined) return undefined;
  const size = looseOf(parameters)['binary_data_size'];
  return typeof size === 'number' ? size : undefined;
}

function flatten(data: unknown, count: number, name: string): unknown[] {
  const items = Array.isArray(data) ? data.flat(Infinity) : [];
  if (items.length === count) return items;
  throw noAnswer(`output "${name}" has ${items.length} values, its shape says ${count}`);
}

function looseOf(value: unknown): Loose {
  if (typeof value === 'object' && value !== null) return { ...value };
  throw noAnswer('it has not the form of V2');
}

function noAnswer(why: string): Fault {
  return new Fault('bad_upstream', `the model's answer cannot be used: ${why}`);
}
