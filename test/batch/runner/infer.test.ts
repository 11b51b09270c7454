import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeInferBody, parseInferAnswer } from '#batch/runner/infer.ts';
import type { MappedInput } from '#batch/rows/map.ts';
import type { Column, ColumnType, ColumnValues } from '#batch/rows/rows.ts';
import { parseInferRequest } from '#functions/protocol/request.ts';
import { makeInferAnswer } from '#functions/protocol/response.ts';

const ROWS = 3;
const WIDTH = 2;
const COUNT = ROWS * WIDTH;

const VALUES: Readonly<Record<ColumnType, fc.Arbitrary<ColumnValues>>> = {
  BOOL: listOf(fc.integer({ min: 0, max: 1 })).map((list) => Uint8Array.from(list)),
  INT8: listOf(fc.integer({ min: -128, max: 127 })).map((list) => Int8Array.from(list)),
  INT16: listOf(fc.integer({ min: -32768, max: 32767 })).map((list) => Int16Array.from(list)),
  INT32: listOf(fc.integer()).map((list) => Int32Array.from(list)),
  INT64: listOf(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((list) =>
    BigInt64Array.from(list),
  ),
  UINT8: listOf(fc.integer({ min: 0, max: 255 })).map((list) => Uint8Array.from(list)),
  UINT16: listOf(fc.integer({ min: 0, max: 65535 })).map((list) => Uint16Array.from(list)),
  UINT32: listOf(fc.integer({ min: 0, max: 2 ** 32 - 1 })).map((list) => Uint32Array.from(list)),
  UINT64: listOf(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map((list) =>
    BigUint64Array.from(list),
  ),
  FP32: listOf(fc.float()).map((list) => Float32Array.from(list)),
  FP64: listOf(fc.double()).map((list) => Float64Array.from(list)),
  BYTES: listOf(fc.string({ unit: 'grapheme' })),
};

function listOf<T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(item, { minLength: COUNT, maxLength: COUNT });
}

/** JSON knows no −0. */
function plain(values: ColumnValues): unknown[] {
  return Array.from<unknown>(values).map((value) => (value === 0 ? 0 : value));
}

/** Sent to a server of ours that answers what it was given. */
function echo(type: ColumnType, values: ColumnValues, binary: boolean): readonly Column[] {
  const input: MappedInput = { name: 'x', datatype: type, shape: [WIDTH], column: 0 };
  const column: Column = { name: 'x', type, width: WIDTH, values };
  const body = makeInferBody({ first: 0, length: ROWS, columns: [column] }, [input], binary);
  const bytes = Buffer.concat([...body.chunks]);
  expect(bytes.length).toBe(body.bytes);
  const request = parseInferRequest(bytes, body.headers['inference-header-content-length'], []);
  const answer = makeInferAnswer({ name: 'm', version: undefined }, request, request.inputs);
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
  );
  return parseInferAnswer(Buffer.concat([...answer.chunks]), headers, ROWS);
}

describe('rows come back from a server of ours as they went', () => {
  const cases = Object.entries(VALUES).flatMap(([type, values]) =>
    [true, false].map((binary) => [type as ColumnType, binary, values] as const),
  );
  test.each(cases)('%s, binary: %s', (type, binary, values) => {
    fc.assert(
      fc.property(values, (given) => {
        const [column] = echo(type, given, binary);
        expect(column).toMatchObject({ name: 'x', type, width: WIDTH });
        expect(plain(column!.values)).toEqual(plain(given));
      }),
    );
  });
});

describe('what is no answer is refused', () => {
  test.each([
    ['[]', 'there are no outputs'],
    ['{', 'it is no JSON'],
    ['{"outputs":[{"name":"y"}]}', 'an output has no name, datatype or shape'],
    [
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1,2]}]}',
      'output "y" has shape [2] for 3 rows',
    ],
    [
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[3],"data":[1]}]}',
      'output "y" has 1 values, its shape says 3',
    ],
    ['{"outputs":[{"name":"y","datatype":"BF16","shape":[3],"data":[1,2,3]}]}', 'datatype BF16'],
    [
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[3],"data":[1,"a",3]}]}',
      'answered "a" as FP32',
    ],
  ])('%s', (text, why) => {
    expect(() => parseInferAnswer(Buffer.from(text), {}, ROWS)).toThrow(why);
  });

  test('tensors that are cut off', () => {
    const head =
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[3],"parameters":{"binary_data_size":12}}]}';
    const headers = { 'inference-header-content-length': String(head.length) };
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(8)]);
    expect(() => parseInferAnswer(body, headers, ROWS)).toThrow('a tensor of 8 bytes, expected 12');
  });
});
