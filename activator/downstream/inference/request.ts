import type { InferRequest, InputTensor, Parameters } from './messages.ts';
import { packContents } from './tensors.ts';

/** An inference request as V2 over HTTP has it: JSON, then the tensors. */
export interface HttpInfer {
  readonly json: Buffer;
  readonly tensors: readonly Uint8Array[];
  readonly length: number;
}

/** Throws an Error, in words for the caller, when the request contradicts itself. */
export function makeHttpInfer(request: InferRequest): HttpInfer {
  const { inputs, outputs, raw, id, parameters } = request;
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw new RangeError(`${raw.length} raw_input_contents for ${inputs.length} inputs`);
  }
  const tensors = inputs.map((input, i) => bytesOf(input, raw[i]));
  const json = Buffer.from(
    JSON.stringify({
      id: id === '' ? undefined : id,
      parameters: { ...parameters, ...(outputs.length === 0 && { binary_data_output: true }) },
      inputs: inputs.map(({ name, datatype, shape, parameters: own }, i) => ({
        name,
        datatype,
        shape,
        parameters: { ...own, binary_data_size: tensors[i]?.length ?? 0 },
      })),
      outputs: outputs.length === 0 ? undefined : outputs.map(wanted),
    }),
  );
  const length = tensors.reduce((sum, tensor) => sum + tensor.length, json.length);
  return { json, tensors, length };
}

function wanted({ name, parameters }: { name: string; parameters: Parameters }): object {
  return { name, parameters: { ...parameters, binary_data: true } };
}

function bytesOf(
  { name, datatype, contents }: InputTensor,
  raw: Uint8Array | undefined,
): Uint8Array {
  const isEmpty = contents === undefined || contents.length === 0;
  if (raw && !isEmpty)
    throw new RangeError(`input "${name}" has both contents and raw_input_contents`);
  return raw ?? (isEmpty ? new Uint8Array() : packContents(datatype, contents));
}
