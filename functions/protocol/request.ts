import type { TensorInfo } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { dataOfBytes } from './binary.ts';
import { checkName } from './check.ts';
import { DATATYPE_NAMES, type Datatype, isDatatype } from './datatypes.ts';
import { isRecord, parseJson, shorten } from './json.ts';
import { flatten } from './nest.ts';
import { type Tensor, sizeOf } from './tensor.ts';
import { dataOfValues } from './values.ts';

/** A V2 inference request: the JSON head, and the binary tensors that may follow it. */

export interface InferRequest {
  readonly id: string | undefined;
  readonly inputs: readonly Tensor[];
  /** The outputs that were asked for; undefined: all of them. */
  readonly outputs: readonly string[] | undefined;
  /** Is this output to be sent as binary data? */
  readonly binary: (output: string) => boolean;
}

/** More tensors than any model has; a request with a million empty ones is an attack. */
const MAX_TENSORS = 10_000;

/** Where the binary data of the inputs stands, in order. */
interface Tail {
  readonly bytes: Uint8Array;
  at: number;
}

/**
 * `headLength`: the value of `Inference-Header-Content-Length`, where there is one. `declared`: the inputs of
 * the model; empty when it does not say.
 */
export function parseInferRequest(
  body: Buffer,
  headLength: string | undefined,
  declared: readonly TensorInfo[],
): InferRequest {
  const split = splitAt(body, headLength);
  const head = parseJson(body.toString('utf8', 0, split), 'the request');
  if (!isRecord(head)) throw bad(`the request: found ${shorten(head)}, expected {"inputs": [...]}`);
  const tail: Tail = { bytes: body.subarray(split), at: 0 };
  const inputs = parseInputs(head['inputs'], tail, declared);
  if (tail.at !== tail.bytes.length) {
    throw bad(
      `found ${tail.bytes.length} bytes of binary data, expected ${tail.at}, the sum of binary_data_size`,
    );
  }
  return { id: parseId(head['id']), inputs, ...parseOutputs(head) };
}

function splitAt(body: Buffer, headLength: string | undefined): number {
  if (headLength === undefined) return body.length;
  const length = /^\d{1,15}$/.test(headLength) ? Number(headLength) : Number.NaN;
  if (length <= body.length) return length;
  throw bad(
    `Inference-Header-Content-Length: found ${shorten(headLength)}, expected a number of bytes up to ${body.length}, the length of the body`,
  );
}

function parseId(id: unknown): string | undefined {
  if (id === undefined || typeof id === 'string') return id;
  throw bad(`id: found ${shorten(id)}, expected a string`);
}

function parseInputs(inputs: unknown, tail: Tail, declared: readonly TensorInfo[]): Tensor[] {
  if (!Array.isArray(inputs) || inputs.length > MAX_TENSORS) {
    throw bad(`inputs: found ${shorten(inputs)}, expected a list of tensors`);
  }
  // A wrong name comes first: what is wrong with its values would be told of an input that there is not.
  if (declared.length > 0) checkNames(inputs, declared);
  const names = new Set<string>();
  return inputs.map((input: unknown, index) => {
    const tensor = parseInput(input, index, tail);
    if (names.has(tensor.name)) throw bad(`input "${tensor.name}" is given twice`);
    names.add(tensor.name);
    return tensor;
  });
}

function checkNames(inputs: readonly unknown[], declared: readonly TensorInfo[]): void {
  for (const input of inputs) {
    const name = isRecord(input) ? input['name'] : undefined;
    if (typeof name === 'string') checkName('input', name, declared);
  }
}

function parseInput(input: unknown, index: number, tail: Tail): Tensor {
  if (!isRecord(input) || typeof input['name'] !== 'string') {
    const example = '{"name": …, "shape": …, "datatype": …, "data": …}';
    throw bad(`inputs[${index}]: found ${shorten(input)}, expected ${example}`);
  }
  const name = input['name'];
  const where = `input "${name}"`;
  const datatype = parseDatatype(input['datatype'], where);
  const shape = parseShape(input['shape'], where);
  return { name, datatype, shape, data: parseData(input, datatype, shape, where, tail) };
}

function parseDatatype(datatype: unknown, where: string): Datatype {
  if (isDatatype(datatype)) return datatype;
  throw bad(`${where}: found datatype ${shorten(datatype)}, expected one of ${DATATYPE_NAMES}`);
}

function parseShape(shape: unknown, where: string): readonly number[] {
  if (Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    return shape;
  }
  const found = Array.isArray(shape) ? JSON.stringify(shape).slice(0, 100) : shorten(shape);
  throw bad(`${where}: found shape ${found}, expected a list of sizes such as [1,64]`);
}

function parseData(
  input: Record<string, unknown>,
  datatype: Datatype,
  shape: readonly number[],
  where: string,
  tail: Tail,
): Tensor['data'] {
  const size = binarySize(input['parameters'], where);
  const values = input['data'];
  if (size === undefined) {
    if (Array.isArray(values)) {
      return dataOfValues(datatype, flatten(values, shape, where), where);
    }
    throw bad(`${where}: found data ${shorten(values)}, expected a list of values`);
  }
  if (values !== undefined) {
    throw bad(`${where}: found both data and binary_data_size, expected one of them`);
  }
  const end = tail.at + size;
  if (end > tail.bytes.length) {
    const rest = tail.bytes.length - tail.at;
    throw bad(`${where}: found ${rest} bytes of binary data, expected binary_data_size ${size}`);
  }
  const bytes = tail.bytes.subarray(tail.at, end);
  tail.at = end;
  return dataOfBytes(datatype, bytes, sizeOf(shape), where);
}

function binarySize(parameters: unknown, where: string): number | undefined {
  const size = isRecord(parameters) ? parameters['binary_data_size'] : undefined;
  if (size === undefined) return undefined;
  if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
  throw bad(`${where}: found binary_data_size ${shorten(size)}, expected a number of bytes`);
}

function parseOutputs(head: Record<string, unknown>): Pick<InferRequest, 'outputs' | 'binary'> {
  const all = flag(head['parameters'], 'binary_data_output', 'the request') ?? false;
  const outputs = head['outputs'];
  if (outputs === undefined) return { outputs: undefined, binary: () => all };
  if (!Array.isArray(outputs) || outputs.length > MAX_TENSORS) {
    throw bad(`outputs: found ${shorten(outputs)}, expected a list such as [{"name": "y"}]`);
  }
  const wanted = new Map<string, boolean>();
  for (const [index, output] of outputs.entries()) {
    if (!isRecord(output) || typeof output['name'] !== 'string') {
      throw bad(`outputs[${index}]: found ${shorten(output)}, expected {"name": …}`);
    }
    const where = `output "${output['name']}"`;
    if (wanted.has(output['name'])) throw bad(`${where} is asked for twice`);
    wanted.set(output['name'], flag(output['parameters'], 'binary_data', where) ?? all);
  }
  return { outputs: [...wanted.keys()], binary: (name) => wanted.get(name) ?? all };
}

function flag(parameters: unknown, name: string, where: string): boolean | undefined {
  const value = isRecord(parameters) ? parameters[name] : undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw bad(`${where}: found ${name} ${shorten(value)}, expected true or false`);
}

function bad(message: string): Fault {
  return new Fault('bad_request', message);
}
