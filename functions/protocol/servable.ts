import type { Inspection } from '#domain/records.ts';
import type { Tensor } from './tensor.ts';

/** A loaded model that answers V2 and V1. Faults are the caller's mistakes; all else is the model's. */
export interface Servable {
  /** What runs it, with its version: the answer to `GET /v2`. */
  readonly engine: { readonly name: string; readonly version: string };
  readonly metadata: Pick<Inspection, 'platform' | 'inputs' | 'outputs' | 'properties'>;
  /** `wanted`: only these outputs, in this order. */
  infer(inputs: readonly Tensor[], wanted: readonly string[] | undefined): Promise<Tensor[]>;
  /** V1: one prediction for each instance. */
  predict(instances: readonly unknown[]): Promise<readonly unknown[]>;
}
