import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mapColumns } from '#batch/rows/map.ts';
import { packInput, unusableRows } from '#batch/rows/pack.ts';
import { batchOf } from './tables.ts';

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
        const packed = packInput(input, batchOf({ heads: map.reads, rows }));
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
  const batch = batchOf({
    heads: map.reads,
    rows: [
      [a, b],
      [c, d],
    ],
  });
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
