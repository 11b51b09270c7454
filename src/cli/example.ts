import type { TensorInfo } from '#domain/records.ts';
import type { CurlWay } from '#domain/views.ts';
import { quote } from '#lib/command.ts';

/** A body of more values than this is made by a program: nobody wants to read it in a terminal. */
const MAX_INLINE = 128;

/** A row for a model that does not say what it takes. */
const EXAMPLE_ROWS = JSON.stringify({ instances: [0] });

/**
 * A command that calls the model: with zeros of the right shape where it takes tensors. `inputs`: those that
 * it declares; undefined when it speaks its own language.
 */
export function makeCurl(
  addresses: { readonly path: string; readonly infer: string },
  inputs: readonly TensorInfo[] | undefined,
  trust: Trust,
): string {
  if (!inputs) return curl(addresses.path, trust);
  if (inputs.length === 0) {
    return `${curl(predictAddress(addresses.infer), trust)} -d ${quote(EXAMPLE_ROWS)}`;
  }
  const total = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (total <= MAX_INLINE) {
    return `${curl(addresses.infer, trust)} -d ${quote(formatExample(inputs))}`;
  }
  const script = `console.log(JSON.stringify({inputs:[${inputs.map(makeExpression).join(',')}]}))`;
  return `node -e ${quote(script)} | ${curl(addresses.infer, trust)} -d @-`;
}

/** What curl is told to get to the data plane: files and names as in `CurlWay`. */
type Trust = Pick<Exclude<CurlWay, { why: string }>, 'certificate' | 'resolve'>;

export function curl(address: string, { certificate, resolve }: Trust): string {
  const trust = certificate === undefined ? [] : ['--cacert', certificate];
  const name = resolve === undefined ? [] : ['--resolve', resolve];
  return ['curl', '-sS', ...trust, ...name, address].map(quote).join(' ');
}

/** `FP32 [-1, 64] pixels`. */
export function formatTensor({ name, datatype, shape }: TensorInfo): string {
  return `${name} ${datatype} [${shape.map((size) => (size < 0 ? '?' : size)).join(', ')}]`;
}

/** The address for V1 beside the one for V2. */
export function predictAddress(infer: string): string {
  return infer.replace(/v2\/models\/([^/]+)\/infer$/, 'v1/models/$1:predict');
}

/** What a model that speaks V2 and V1 takes. */
export function formatExample(inputs: readonly TensorInfo[]): string {
  return inputs.length === 0 ? EXAMPLE_ROWS : JSON.stringify(makeExampleBody(inputs));
}

function makeExampleBody(inputs: readonly TensorInfo[]) {
  return {
    inputs: inputs.map(({ name, datatype, shape }) => {
      const sizes = concrete(shape);
      const data = Array.from({ length: sizeOf(shape) }, () => zeroOf(datatype));
      return { name, datatype, shape: sizes, data };
    }),
  };
}

function makeExpression({ name, datatype, shape }: TensorInfo): string {
  const head = JSON.stringify({ name, datatype, shape: concrete(shape) }).slice(0, -1);
  return `${head},"data":Array(${sizeOf(shape)}).fill(${JSON.stringify(zeroOf(datatype))})}`;
}

/** A dynamic dimension takes any size: one is the smallest that gives an answer. */
function concrete(shape: readonly number[]): number[] {
  return shape.map((size) => (size < 0 ? 1 : size));
}

function sizeOf(shape: readonly number[]): number {
  return concrete(shape).reduce((product, size) => product * size, 1);
}

function zeroOf(datatype: string): number | boolean | string {
  if (datatype === 'BOOL') return false;
  return datatype === 'BYTES' ? '' : 0;
}
