import { isBig, isTexts } from './batches.ts';
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
  const { name, datatype, shape, column } = input;
  const values = batch.columns[column]?.values ?? [];
  const data = datatype === 'FP16' ? halvesOf(values) : values;
  return { name, datatype, shape: [batch.length, ...shape], data };
}

function halvesOf(values: ColumnValues): ColumnValues {
  const numbers = isTexts(values) || isBig(values) ? [] : values;
  return new Uint16Array(new Float16Array(numbers).buffer);
}

/** Rows that no request can be made of, with the reason: what is bad, or has no value for an input. */
export function unusableRows({ inputs }: ColumnMap, batch: RowBatch): Map<number, string> {
  const rows = new Map(batch.bad);
  for (const { column } of inputs) {
    const { name = '', of = [name], nulls } = batch.columns[column] ?? {};
    for (let at = nulls?.indexOf(1) ?? -1; nulls && at >= 0; at = nulls.indexOf(1, at + 1)) {
      const row = Math.floor(at / of.length);
      if (!rows.has(row)) rows.set(row, `column "${of[at % of.length]}": found no value`);
    }
  }
  return rows;
}
