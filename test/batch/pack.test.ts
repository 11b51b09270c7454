import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowOf, sliceRows } from '#batch/rows/batches.ts';
import { mapColumns } from '#batch/rows/map.ts';
import { packInput, unusableRows } from '#batch/rows/pack.ts';
import { pickRows } from '#batch/runner/pick.ts';
import { createWeaver, unweave } from '#batch/rows/weave.ts';
import type { RowBatch } from '#batch/rows/rows.ts';
import { batchOf, type Table } from './tables.ts';

/** As a source reads it. */
function read({ reads }: ReturnType<typeof mapColumns>, rows: Table['rows']): RowBatch {
  const parts = batchOf({ heads: unweave(reads), rows });
  return { ...parts, columns: createWeaver(reads)(parts.columns, parts.length) };
}

const scalars = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `p${index}`, type: 'FP32' }) as const);

test('columns lie row by row in the input', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 30 }),
      (width, length) => {
        const heads = scalars(width);
        const rows = Array.from({ length }, (_, row) => heads.map((_head, at) => row * 100 + at));
        const map = mapColumns(heads, [{ name: 'x', datatype: 'FP32', shape: [-1, width] }]);
        const [input] = map.inputs;
        if (!input) throw new Error('no input');
        const packed = packInput(input, read(map, rows));
        expect(packed.shape).toEqual([length, width]);
        expect([...packed.data]).toEqual(rows.flat());
      },
    ),
  );
});

test.each([
  ['BYTES', ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd']],
  ['INT64', [1n, 2n, 3n, 4n], [1n, 2n, 3n, 4n]],
  ['BOOL', [1, 0, 0, 1], [1, 0, 0, 1]],
  ['FP16', [1, 2, 0.5, -2], [0x3c00, 0x4000, 0x3800, 0xc000]],
] as const)('two columns of %s', (datatype, values, data) => {
  const type = datatype === 'FP16' ? 'FP32' : datatype;
  const heads = [
    { name: 'a', type },
    { name: 'b', type },
  ] as const;
  const map = mapColumns(heads, [{ name: 'x', datatype, shape: [-1, 2] }]);
  const [a, b, c, d] = values;
  const batch = read(map, [
    [a, b],
    [c, d],
  ]);
  expect([...(map.inputs[0] ? packInput(map.inputs[0], batch).data : [])]).toEqual(data);
});

test('rows without a value for an input are told, those of other columns are not', () => {
  const heads = scalars(2);
  const map = mapColumns(heads, [{ name: 'p0', datatype: 'FP32', shape: [-1] }]);
  const rows = [
    [1, null],
    [null, 2],
    [3, 4],
  ];
  const batch = { ...batchOf({ heads, rows }), bad: new Map([[2, 'no good']]) };
  expect([...unusableRows(map, batch)]).toEqual([
    [2, 'no good'],
    [1, 'column "p0": found no value'],
  ]);
});

test('of columns that lie in one input, the first without a value is told', () => {
  const map = mapColumns(scalars(3), [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }]);
  const batch = read(map, [
    [1, 2, 3],
    [1, null, null],
    [null, 2, 3],
  ]);
  expect([...unusableRows(map, batch)]).toEqual([
    [1, 'column "p1": found no value'],
    [2, 'column "p0": found no value'],
  ]);
  expect(rowOf(batch, 1)).toEqual({ p0: 1, p1: null, p2: null });
  expect(rowOf(sliceRows(batch, 2, 3), 0)).toEqual({ p0: null, p1: 2, p2: 3 });
  expect(rowOf(pickRows(batch, [0, 2]), 1)).toEqual({ p0: null, p1: 2, p2: 3 });
});
