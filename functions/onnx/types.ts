import type { Tensor } from 'onnxruntime-node';
import type { Datatype } from '#functions/protocol/datatypes.ts';

/**
 * The element types of ONNX tensors, one by one: `elem_type` in the file, the name in V2, the name in the
 * runtime. Those without a V2 name cannot be sent: JavaScript, the protocol or the runtime's binding has not
 * got them.
 */
interface ElementType {
  readonly onnx: string;
  readonly v2?: Datatype;
  readonly runtime?: Tensor.Type;
}

export const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  1: { onnx: 'float', v2: 'FP32', runtime: 'float32' },
  2: { onnx: 'uint8', v2: 'UINT8', runtime: 'uint8' },
  3: { onnx: 'int8', v2: 'INT8', runtime: 'int8' },
  4: { onnx: 'uint16', v2: 'UINT16', runtime: 'uint16' },
  5: { onnx: 'int16', v2: 'INT16', runtime: 'int16' },
  6: { onnx: 'int32', v2: 'INT32', runtime: 'int32' },
  7: { onnx: 'int64', v2: 'INT64', runtime: 'int64' },
  8: { onnx: 'string', v2: 'BYTES', runtime: 'string' },
  9: { onnx: 'bool', v2: 'BOOL', runtime: 'bool' },
  10: { onnx: 'float16', v2: 'FP16', runtime: 'float16' },
  11: { onnx: 'double', v2: 'FP64', runtime: 'float64' },
  12: { onnx: 'uint32', v2: 'UINT32', runtime: 'uint32' },
  13: { onnx: 'uint64', v2: 'UINT64', runtime: 'uint64' },
  14: { onnx: 'complex64' },
  15: { onnx: 'complex128' },
  16: { onnx: 'bfloat16 (BF16)' },
  17: { onnx: 'float8e4m3fn' },
  18: { onnx: 'float8e4m3fnuz' },
  19: { onnx: 'float8e5m2' },
  20: { onnx: 'float8e5m2fnuz' },
  21: { onnx: 'uint4' },
  22: { onnx: 'int4' },
  23: { onnx: 'float4e2m1' },
  24: { onnx: 'float8e8m0' },
  25: { onnx: 'uint2' },
  26: { onnx: 'int2' },
  27: { onnx: 'float6e2m3' },
  28: { onnx: 'float6e3m2' },
};

const KNOWN = Object.values(ELEMENT_TYPES);

/** The V2 name of a type as the runtime names it. */
export function datatypeOf(runtime: string): Datatype | undefined {
  return KNOWN.find((type) => type.runtime === runtime)?.v2;
}

/** The runtime's name of a V2 type. */
export function runtimeTypeOf(datatype: Datatype): Tensor.Type {
  const type = KNOWN.find(({ v2 }) => v2 === datatype)?.runtime;
  if (!type) throw new Error(`${datatype} has no type of the runtime`);
  return type;
}

/** What V2 metadata calls it. */
export const ONNX_PLATFORM = 'onnx_onnxruntime';
