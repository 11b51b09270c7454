import type { TensorInfo } from '#domain/records.ts';
import type { Datatype, TensorData } from './datatypes.ts';

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** `[-1,64]`: as it stands in JSON, so that it can be compared with what was sent. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(',')}]`;
}

/** `image FP32 [-1,64], label INT64 [-1]`: what a message offers when a name was wrong. */
export function formatTensors(infos: readonly TensorInfo[]): string {
  return infos.map((info) => `${info.name} ${info.datatype} ${formatShape(info.shape)}`).join(', ');
}
