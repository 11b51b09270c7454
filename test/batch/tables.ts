import fc from 'fast-check';
import { makeValues } from '#batch/rows/batches.ts';
import { COLUMN_TYPES, type ColumnHead, type ColumnType, type RowBatch } from '#batch/rows/rows.ts';

/** Rows for tests of what reads and writes them. */

/** A cell as it is compared: numbers and texts, lists of them, null. */
type Cell = string | number | bigint | null | readonly (string | number | bigint)[];
export interface Table {
  readonly heads: readonly ColumnHead[];
  readonly rows: readonly (readonly Cell[])[];
}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
};

function valuesOf(type: ColumnType, plain: boolean): fc.Arbitrary<string | number | bigint> {
  const range = RANGES[type];
  if (range) return fc.bigInt({ min: range[0], max: range[1] });
  if (type === 'BOOL') return fc.nat({ max: 1 });
  if (type === 'FP32') return fc.float({ noNaN: plain, noDefaultInfinity: plain });
  if (type === 'FP64') return fc.double({ noNaN: plain, noDefaultInfinity: plain });
  if (type === 'BYTES') {
    // What a CSV file may be separated by would make it ambiguous what separates it.
    const unit = fc.constantFrom(...Array.from('abz019 ,"\'\\\n{}[]:é漢😀-.'));
    return fc.string({ unit, maxLength: 12 }).filter((text) => text.trim() === text);
  }
  const bits = Number(type.replaceAll(/\D/g, ''));
  const signed = type.startsWith('INT');
  return signed
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 });
}

/** `lists`: some columns hold lists. `plain`: no NaN and no infinities. The first row has no nulls. */
export function tables(options: { lists: boolean; plain: boolean }): fc.Arbitrary<Table> {
  const head = fc.record({
    type: fc.constantFrom(...COLUMN_TYPES),
    width: options.lists ? fc.constantFrom(undefined, 1, 3) : fc.constant(undefined),
  });
  return fc.array(head, { minLength: 2, maxLength: 4 }).chain((found) => {
    const heads = found.map(({ type, width }, index) => ({
      name: index === 0 ? `c, "${index}"` : `C ${index}`,
      type,
      ...(width !== undefined && { width }),
    }));
    const cells = heads.map(({ type, width }): fc.Arbitrary<Cell> => {
      const value = valuesOf(type, options.plain);
      return width === undefined ? value : fc.array(value, { minLength: width, maxLength: width });
    });
    const full: fc.Arbitrary<Cell[]> = fc.tuple(...cells);
    const some: fc.Arbitrary<Cell[]> = fc.tuple(...cells.map((cell) => fc.option(cell)));
    return fc
      .tuple(full, fc.array(some, { maxLength: 30 }))
      .map(([first, rest]) => ({ heads, rows: [first, ...rest] }));
  });
}

/** Rows `start` to `end` as a batch. */
export function batchOf({ heads, rows }: Table, start = 0, end = rows.length): RowBatch {
  const part = rows.slice(start, end);
  const columns = heads.map((head, at) => {
    const width = head.width ?? 1;
    const values = makeValues(head.type, part.length * width);
    const nulls = Uint8Array.from(part, (row) => (row[at] === null ? 1 : 0));
    for (const [index, row] of part.entries()) {
      const cell = row[at] ?? null;
      const items = Array.isArray(cell) ? cell : cell === null ? [] : [cell];
      for (const [item, value] of items.entries()) Reflect.set(values, index * width + item, value);
    }
    return { ...head, values, ...(nulls.includes(1) && { nulls }) };
  });
  return { first: start, length: part.length, columns };
}

/** The rows of batches, cell by cell. */
export function rowsOf(batches: readonly RowBatch[]): readonly (readonly Cell[])[] {
  return batches.flatMap(({ length, columns }) =>
    Array.from({ length }, (_, row) =>
      columns.map(({ values, width, nulls }): Cell => {
        if (nulls?.[row]) return null;
        if (width === undefined) return values[row] ?? null;
        return Array.from({ length: width }, (_, item) => values[row * width + item] ?? 0);
      }),
    ),
  );
}

/** So many rows of two columns: `id` INT64 and `x` FP64. */
export function countedTable(length: number): Table {
  const heads = [
    { name: 'id', type: 'INT64' },
    { name: 'x', type: 'FP64' },
  ] as const;
  const rows = Array.from({ length }, (_, row): Cell[] => [BigInt(row), row + 0.25]);
  return { heads, rows };
}
