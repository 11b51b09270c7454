import { isBig, isTexts, makeValues } from './batches.ts';
import type { ColumnMap, MappedInput } from './map.ts';
import type { ColumnValues, RowBatch } from './rows.ts';

/** An input of a request, as V2 has it: FP16 as its bits, BOOL as 0 and 1. */
export interface PackedInput {
  readonly name: string;
  readonly datatype: MappedInput['datatype'];
  readonly shape: readonly number[];
  /** Row-major; may be shared with the batch. */
  readonly data: ColumnValues;
}

/** `batch`: read as the map says. */
export function packInput(input: MappedInput, batch: RowBatch): PackedInput {
  const { name, datatype, shape } = input;
  const values = interleave(input, batch);
  const data = datatype === 'FP16' ? halvesOf(values) : values;
  return { name, datatype, shape: [batch.length, ...shape], data };
}

function interleave(input: MappedInput, batch: RowBatch): ColumnValues {
  const columns = input.columns.flatMap((index) => batch.columns[index] ?? []);
  const [first] = columns;
  if (!first) return [];
  if (columns.length === 1) return first.values;
  const all = makeValues(first.type, batch.length * columns.length);
  for (const [at, { values }] of columns.entries()) {
    copyEvery(values, all, at, columns.length);
  }
  return all;
}

/** Puts values into every `step`-th place from `at` on. Both are of the same type. */
function copyEvery(
  values: ColumnValues,
  into: ReturnType<typeof makeValues>,
  at: number,
  step: number,
): void {
  if (isTexts(values) || isTexts(into)) {
    if (isTexts(into))
      for (const [row, text] of values.entries()) into[row * step + at] = String(text);
  } else if (isBig(values)) {
    if (isBig(into))
      for (let row = 0; row < values.length; row++) into[row * step + at] = values[row] ?? 0n;
  } else if (!isBig(into)) {
    for (let row = 0; row < values.length; row++) into[row * step + at] = values[row] ?? 0;
  }
}

function halvesOf(values: ColumnValues): ColumnValues {
  const numbers = isTexts(values) || isBig(values) ? [] : values;
  return new Uint16Array(new Float16Array(numbers).buffer);
}

/** Rows that no request can be made of, with the reason: what is bad, or has no value for an input. */
export function unusableRows({ inputs }: ColumnMap, batch: RowBatch): Map<number, string> {
  const rows = new Map(batch.bad);
  for (const index of inputs.flatMap(({ columns }) => columns)) {
    const column = batch.columns[index];
    if (!column?.nulls) continue;
    for (const [row, isNull] of column.nulls.entries()) {
      if (isNull && !rows.has(row)) rows.set(row, `column "${column.name}": found no value`);
    }
  }
  return rows;
}
