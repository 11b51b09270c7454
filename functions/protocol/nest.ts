import { Fault } from '#lib/fault.ts';
import { shorten } from './json.ts';
import { formatShape, sizeOf } from './tensor.ts';

/** Flat row-major values to and from nested lists. */

/** Depth beyond which a list is no tensor: more than any runtime has dimensions for. */
const MAX_RANK = 64;

/** The values in row-major order, whether they came flat or nested as the shape says. */
export function flatten(
  values: readonly unknown[],
  shape: readonly number[],
  where: string,
): readonly unknown[] {
  const flat = values.some((value) => Array.isArray(value))
    ? collect(values, shape, 0, where, [])
    : values;
  if (flat.length !== sizeOf(shape)) {
    const wanted = `${sizeOf(shape)} for shape ${formatShape(shape)}`;
    throw new Fault('bad_request', `${where}: found ${flat.length} values, expected ${wanted}`);
  }
  return flat;
}

function collect(
  values: readonly unknown[],
  shape: readonly number[],
  depth: number,
  where: string,
  flat: unknown[],
): readonly unknown[] {
  const mismatch = (found: string): Fault =>
    new Fault(
      'bad_request',
      `${where}: found ${found} at nesting level ${depth + 1}, expected lists nested as shape ${formatShape(shape)}`,
    );
  if (values.length !== shape[depth]) throw mismatch(`a list of ${values.length}`);
  const last = depth === shape.length - 1;
  for (const value of values) {
    if (last) {
      if (Array.isArray(value)) throw mismatch('a list in the innermost list');
      flat.push(value);
    } else if (Array.isArray(value)) collect(value, shape, depth + 1, where, flat);
    else throw mismatch(shorten(value));
  }
  return flat;
}

/** Row-major values as lists nested by shape; a scalar for shape `[]`. */
export function nest(values: readonly unknown[], shape: readonly number[]): unknown {
  let level: unknown[] = values.slice();
  for (let depth = shape.length - 1; depth > 0; depth--) {
    const length = shape[depth] ?? 0;
    const rows = sizeOf(shape.slice(0, depth));
    const lists = level;
    level = Array.from({ length: rows }, (_, row) => lists.slice(row * length, (row + 1) * length));
  }
  return shape.length === 0 ? level[0] : level;
}

/** The shape of nested lists by their first elements; `flatten` finds out whether the rest agrees. */
export function shapeOf(value: unknown, where: string): number[] {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > MAX_RANK) {
      throw new Fault('bad_request', `${where}: lists nested deeper than ${MAX_RANK}`);
    }
  }
  return shape;
}
