import { Fault } from '#lib/fault.ts';
import type { TensorInfo } from '#domain/records.ts';
import { type Tensor, formatShape, formatTensors } from './tensor.ts';

/** Do the tensors that came fit those that the model declares? */
export function checkInputs(tensors: readonly Tensor[], declared: readonly TensorInfo[]): void {
  const byName = new Map(declared.map((info) => [info.name, info]));
  for (const tensor of tensors) {
    const info = byName.get(tensor.name);
    if (!info) throw unknown('input', tensor.name, declared);
    checkTensor(tensor, info);
    byName.delete(tensor.name);
  }
  const [missing] = byName.values();
  if (missing) {
    throw bad(`input "${missing.name}" is missing, expected ${formatTensors(declared)}`);
  }
}

function checkTensor(tensor: Tensor, info: TensorInfo): void {
  if (tensor.datatype !== info.datatype) {
    throw bad(
      `input "${tensor.name}": found datatype ${tensor.datatype}, expected ${info.datatype}`,
    );
  }
  if (!fits(tensor.shape, info.shape)) {
    const [found, expected] = [formatShape(tensor.shape), formatShape(info.shape)];
    throw bad(
      `input "${tensor.name}": found shape ${found}, expected ${expected} (-1 stands for any size)`,
    );
  }
}

/** `[-1]` is also what a tensor of unknown rank shows: there the runtime has the last word. */
function fits(shape: readonly number[], expected: readonly number[]): boolean {
  if (expected.length === 1 && expected[0] === -1) return true;
  if (shape.length !== expected.length) return false;
  return shape.every((size, index) => expected[index] === -1 || expected[index] === size);
}

/** The outputs to compute, refusing names that the model does not have. */
export function checkOutputs(
  wanted: readonly string[] | undefined,
  declared: readonly TensorInfo[],
): readonly string[] {
  if (wanted === undefined) return declared.map((info) => info.name);
  for (const name of wanted) checkName('output', name, declared);
  return wanted;
}

export function checkName(
  kind: 'input' | 'output',
  name: string,
  declared: readonly TensorInfo[],
): void {
  if (!declared.some((info) => info.name === name)) throw unknown(kind, name, declared);
}

function unknown(kind: 'input' | 'output', name: string, declared: readonly TensorInfo[]): Fault {
  return bad(`${kind} "${name}" is unknown, expected ${formatTensors(declared) || 'none'}`);
}

function bad(message: string): Fault {
  return new Fault('bad_request', message);
}
