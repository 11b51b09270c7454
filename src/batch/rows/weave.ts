import { isBig, isTexts, makeValues, type MutableValues } from './batches.ts';
import type { Column, ColumnHead, ColumnValues } from './rows.ts';

/** Columns of one value each as one, value by value: see `of` of a ColumnHead. */

/** The columns of files that these are read from. */
export function unweave(heads: readonly ColumnHead[]): ColumnHead[] {
  return heads.flatMap((head) => head.of?.map((name) => ({ name, type: head.type })) ?? [head]);
}

/** Takes columns as `unweave(heads)` has them, each of `length` rows. What is woven holds until the next call. */
export type Weaver = (columns: readonly Column[], length: number) => Column[];

/** For the chunks of one read: a new array for each would be collected as garbage at the cost of a small model. */
export function createWeaver(heads: readonly ColumnHead[]): Weaver {
  const arrays = heads.map(({ type }) => makeValues(type, 0));
  return (columns, length) => {
    let at = 0;
    return heads.flatMap((head, index) => {
      const parts = columns.slice(at, at + (head.of?.length ?? 1));
      at += parts.length;
      if (!head.of) return parts;
      let values = arrays[index];
      if (values?.length !== length * parts.length) {
        values = arrays[index] = makeValues(head.type, length * parts.length);
      }
      return weaveColumn(head, parts, values);
    });
  };
}

/** Rows that are woven at once: what they take, as columns and woven, lies in the processor's nearest cache. */
const BLOCK = 32;

function weaveColumn(head: ColumnHead, parts: readonly Column[], values: MutableValues): Column {
  const step = parts.length;
  let nulls: Uint8Array | undefined;
  const length = values.length / step;
  for (let start = 0; start < length; start += BLOCK) {
    const end = Math.min(start + BLOCK, length);
    for (const [at, part] of parts.entries()) {
      copyEvery(part.values, values, at, step, start, end);
    }
  }
  for (const [at, part] of parts.entries()) {
    if (!part.nulls) continue;
    nulls ??= new Uint8Array(values.length);
    copyEvery(part.nulls, nulls, at, step, 0, length);
  }
  return { ...head, values, ...(nulls && { nulls }) };
}

/** Puts values `start` to `end` into every `step`-th place from `at` on. Both are of the same type. */
function copyEvery(
  values: ColumnValues,
  into: MutableValues,
  at: number,
  step: number,
  start: number,
  end: number,
): void {
  if (isTexts(values) || isTexts(into)) {
    if (isTexts(into))
      for (let row = start; row < end; row++) into[row * step + at] = String(values[row]);
  } else if (isBig(values)) {
    if (isBig(into))
      for (let row = start; row < end; row++) into[row * step + at] = values[row] ?? 0n;
  } else if (!isBig(into)) {
    for (let row = start; row < end; row++) into[row * step + at] = values[row] ?? 0;
  }
}
