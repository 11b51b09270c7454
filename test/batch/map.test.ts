import { describe, expect, test } from 'vitest';
import { mapColumns } from '#batch/rows/map.ts';
import type { ColumnHead, ColumnType } from '#batch/rows/rows.ts';
import { unweave } from '#batch/rows/weave.ts';

const col = (name: string, type: ColumnType = 'FP64', width?: number): ColumnHead => ({
  name,
  type,
  ...(width !== undefined && { width }),
});
const input = (name: string, datatype: string, shape: number[]) => ({ name, datatype, shape });
const X3 = input('x', 'FP32', [-1, 3]);

/** `x: a b c`: what a map comes to. */
function shown(
  columns: readonly ColumnHead[],
  inputs: readonly ReturnType<typeof input>[],
  said: Record<string, string[]> = {},
): string[] {
  const map = mapColumns(columns, inputs, new Map(Object.entries(said)));
  return map.inputs.map(({ name, datatype, shape, column }) => {
    const names = unweave(map.reads.slice(column, column + 1)).map(
      (read) => `${read.name}:${read.type}${read.width ? `×${read.width}` : ''}`,
    );
    return `${name} ${datatype} [${shape.join(',')}] = ${names.join(' ')}`;
  });
}

describe('inputs take', () => {
  test.each([
    [
      'the column of their name',
      [col('y'), col('x', 'FP64', 3)],
      [X3],
      {},
      ['x FP32 [3] = x:FP32×3'],
    ],
    [
      'the only list that fits',
      [col('id', 'INT64'), col('pixels', 'INT64', 3), col('other', 'FP64', 4)],
      [X3],
      {},
      ['x FP32 [3] = pixels:FP32×3'],
    ],
    [
      'as many numeric columns as they are wide',
      [col('a'), col('name', 'BYTES'), col('b', 'INT8'), col('c', 'BOOL')],
      [X3],
      {},
      ['x FP32 [3] = a:FP32 b:FP32 c:FP32'],
    ],
    [
      'the columns that are said, in this order',
      [col('id'), col('a'), col('b'), col('c')],
      [X3],
      { x: ['c', 'a', 'b'] },
      ['x FP32 [3] = c:FP32 a:FP32 b:FP32'],
    ],
    [
      'what a pattern finds, in the order of the file',
      [col('id'), col('p2'), col('p.1'), col('p10')],
      [X3],
      { x: ['p*'] },
      ['x FP32 [3] = p2:FP32 p.1:FP32 p10:FP32'],
    ],
    [
      'several inputs by name',
      [col('b', 'BYTES'), col('a')],
      [input('a', 'FP64', [-1]), input('b', 'BYTES', [-1, 1])],
      {},
      ['a FP64 [] = a:FP64', 'b BYTES [1] = b:BYTES'],
    ],
    [
      'the one that is left',
      [col('q', 'BYTES'), col('a')],
      [input('a', 'FP64', [-1]), input('text', 'BYTES', [-1])],
      {},
      ['a FP64 [] = a:FP64', 'text BYTES [] = q:BYTES'],
    ],
    [
      'a number as text, when that was said',
      [col('n', 'INT64')],
      [input('text', 'BYTES', [-1])],
      { text: ['n'] },
      ['text BYTES [] = n:BYTES'],
    ],
    ['halves as FP32', [col('a')], [input('x', 'FP16', [-1, 1])], {}, ['x FP16 [1] = a:FP32']],
    [
      'a list in the shape that the model has',
      [col('a', 'UINT8', 12)],
      [input('x', 'UINT8', [-1, 3, 2, 2])],
      {},
      ['x UINT8 [3,2,2] = a:UINT8×12'],
    ],
    [
      'the one dimension that is open',
      [col('a', 'FP32', 12)],
      [input('x', 'FP32', [-1, -1, 4])],
      {},
      ['x FP32 [3,4] = a:FP32×12'],
    ],
    [
      'any number of columns, when that is open',
      [col('a'), col('b')],
      [input('x', 'FP32', [-1, -1])],
      {},
      ['x FP32 [2] = a:FP32 b:FP32'],
    ],
    [
      'a column twice',
      [col('a'), col('b')],
      [input('x', 'FP32', [-1, 3])],
      { x: ['a', 'b', 'a'] },
      ['x FP32 [3] = a:FP32 b:FP32 a:FP32'],
    ],
  ])('%s', (_what, columns, inputs, said: Record<string, string[]>, expected) => {
    expect(shown(columns, inputs, said)).toEqual(expected);
  });
});

test.each([
  ['an id that is a number', ['id', 'a', 'b', 'c'], ['id'], ['a', 'b', 'c']],
  ['all the same, where they fit', ['a', 'b', 'c'], ['a'], ['a', 'b', 'c']],
])('what stands in the output is no input: %s', (_what, names, kept, taken) => {
  const map = mapColumns(
    names.map((name) => col(name)),
    [X3],
    new Map(),
    kept,
  );
  expect(unweave(map.reads).map(({ name }) => name)).toEqual(taken);
});

test('a model that fixed its rows says how many', () => {
  expect(mapColumns([col('a')], [input('x', 'FP32', [8, 1])]).rows).toBe(8);
  expect(mapColumns([col('a')], [input('x', 'FP32', [-1, 1])]).rows).toBeUndefined();
});

describe('refusals name column, type and what would be right', () => {
  test.each([
    [
      'too many numeric columns',
      [col('id'), col('a'), col('b'), col('c')],
      [X3],
      {},
      'input "x" FP32 [?, 3]: found 4 columns: "id" FP64, "a" FP64, "b" FP64, "c" FP64, expected 3 numeric columns, or one with lists of 3; say which with --map x=COLUMN,…',
    ],
    [
      'none',
      [col('name', 'BYTES')],
      [X3],
      {},
      'input "x" FP32 [?, 3]: found no column for it, expected 3 numeric columns, or one with lists of 3; say which with --map x=COLUMN,…',
    ],
    [
      'a list of another length',
      [col('x', 'FP32', 4)],
      [X3],
      {},
      'input "x" FP32 [?, 3]: found column "x" FP32 × 4, expected 3 numeric columns, or one with lists of 3; say which with --map x=COLUMN,…',
    ],
    [
      'text where numbers are wanted',
      [col('a', 'BYTES')],
      [input('a', 'FP32', [-1])],
      {},
      'input "a" FP32 [?]: found column "a" BYTES, expected one numeric column; say which with --map a=COLUMN,…',
    ],
    [
      'a column that is not there',
      [col('age'), col('b')],
      [input('x', 'FP32', [-1])],
      { x: ['agee'] },
      'input "x" FP32 [?]: found no column "agee", expected "age"',
    ],
    [
      'an input that is not there',
      [col('pixels', 'FP32', 3)],
      [input('pixels', 'FP32', [-1, 3])],
      { pixel: ['pixels'] },
      '--map pixel: found no such input, expected "pixels"',
    ],
    [
      'a datatype that no column has',
      [col('x')],
      [input('x', 'BF16', [-1])],
      {},
      'input "x" BF16 [?]: found datatype BF16, expected FP16, BOOL',
    ],
    [
      'lists among others',
      [col('a'), col('b', 'FP32', 2)],
      [input('x', 'FP32', [-1, 2])],
      { x: ['a', 'b'] },
      'input "x" FP32 [?, 2]: found column "b" FP32 × 2 among others, expected columns of one value each',
    ],
  ])('%s', (_what, columns, inputs, said: Record<string, string[]>, message) => {
    expect(() => shown(columns, inputs, said)).toThrow(message);
  });

  test('all of them at once', () => {
    const two = [input('a', 'FP32', [-1]), input('b', 'FP32', [-1])];
    expect(() => shown([col('c')], two)).toThrow(/input "a".*; input "b"/);
  });
});
