import type { Inspection } from '#domain/records.ts';

/** What would have been found in a file: two inputs, one with a name that a shell would trip over. */
export function makeFakeInputs(shape: number[]): Inspection {
  return {
    platform: 'onnx',
    inputs: [
      { name: "it's x", datatype: 'FP32', shape },
      { name: 'flag', datatype: 'BOOL', shape: [1] },
    ],
    outputs: [{ name: 'label', datatype: 'INT64', shape: [-1] }],
    properties: {},
  };
}
