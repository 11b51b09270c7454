import { bytesOfData } from './binary.ts';
import type { InferRequest } from './request.ts';
import type { Tensor } from './tensor.ts';
import { valuesOfData } from './values.ts';

/** What is written: JSON, and the binary tensors after it. */
export interface Answer {
  readonly headers: Readonly<Record<string, string | number>>;
  readonly chunks: readonly Uint8Array[];
}

/** The answer to a V2 inference request. Values that are numbers in JSON but no doubles are raw JSON already. */
export function makeInferAnswer(
  model: { readonly name: string; readonly version: string | undefined },
  request: InferRequest,
  outputs: readonly Tensor[],
): Answer {
  const tail: Uint8Array[] = [];
  const head = JSON.stringify({
    model_name: model.name,
    ...(model.version !== undefined && { model_version: model.version }),
    ...(request.id !== undefined && { id: request.id }),
    outputs: outputs.map(({ name, datatype, shape, data }) => {
      if (!request.binary(name)) {
        return { name, datatype, shape, data: valuesOfData(datatype, data) };
      }
      const bytes = bytesOfData(data);
      tail.push(bytes);
      return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
    }),
  });
  return tail.length === 0 ? jsonAnswer(head) : binaryAnswer(Buffer.from(head), tail);
}

export function jsonAnswer(text: string): Answer {
  const bytes = Buffer.from(text);
  return {
    headers: { 'content-type': 'application/json', 'content-length': bytes.length },
    chunks: [bytes],
  };
}

function binaryAnswer(head: Uint8Array, tail: readonly Uint8Array[]): Answer {
  const chunks = [head, ...tail];
  return {
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': head.length,
      'content-length': chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    },
    chunks,
  };
}
