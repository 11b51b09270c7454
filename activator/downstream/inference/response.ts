import { makeInferResponse, type OutputTensor } from './messages.ts';
import { packValues } from './tensors.ts';

/**
 * The answer of a V2 server as a ModelInferResponse.
 *
 * @param jsonLength Inference-Header-Content-Length, or -1: all of it is JSON.
 * @throws Error: it is no such answer.
 */
export function makeGrpcInfer(body: Buffer, jsonLength: number): Uint8Array {
  const end = jsonLength < 0 ? body.length : jsonLength;
  const answer = recordOf(parseExactly(body.toString('utf8', 0, end)));
  let at = end;
  const outputs = listOf(answer['outputs']).map((output): OutputTensor => {
    const { name, datatype, shape, parameters, data } = recordOf(output);
    const size = parameters === undefined ? undefined : recordOf(parameters)['binary_data_size'];
    const from = at;
    if (typeof size === 'number') at += size;
    if (at > body.length) throw new RangeError('its tensors are cut off');
    const type = textOf(datatype);
    const bytes = typeof size === 'number' ? body.subarray(from, at) : packValues(type, data);
    return { name: textOf(name), datatype: type, shape: listOf(shape).map(Number), bytes };
  });
  return makeInferResponse({
    modelName: textOf(answer['model_name'] ?? ''),
    modelVersion: textOf(answer['model_version'] ?? ''),
    id: textOf(answer['id'] ?? ''),
    outputs,
  });
}

/** What a refusal in the envelope of V2 says. */
export function errorOf(body: Buffer): string {
  try {
    return textOf(recordOf(JSON.parse(body.toString()))['error']);
  } catch {
    return body.toString('utf8', 0, 500);
  }
}

/** Integers beyond 2^53 become bigints. */
function parseExactly(text: string): unknown {
  return JSON.parse(text, revive);
}

function revive(_: string, value: unknown, { source = '' }: { source?: string } = {}): unknown {
  const isInexact = typeof value === 'number' && !Number.isSafeInteger(value);
  return isInexact && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return { ...value };
  throw new TypeError('it is no V2 answer');
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError('it is no V2 answer');
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('it is no V2 answer');
}
