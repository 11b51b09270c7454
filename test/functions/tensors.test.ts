import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOfData, dataOfBytes } from '#functions/protocol/binary.ts';
import { DATATYPES, type Datatype, isDatatype } from '#functions/protocol/datatypes.ts';
import { formatJson, parseJson } from '#functions/protocol/json.ts';
import { flatten, nest } from '#functions/protocol/nest.ts';
import { parseInferRequest } from '#functions/protocol/request.ts';
import { makeInferAnswer } from '#functions/protocol/response.ts';
import { sizeOf } from '#functions/protocol/tensor.ts';
import { dataOfValues, valuesOfData } from '#functions/protocol/values.ts';

const names = Object.keys(DATATYPES).filter(isDatatype);

/** Values as they stand in JSON after parsing: what a caller may send for a datatype. */
function valueOf(datatype: Datatype): fc.Arbitrary<unknown> {
  const type = DATATYPES[datatype];
  switch (type.kind) {
    case 'bool':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: type.min, max: type.max });
    case 'big':
      return fc.bigInt({ min: type.min, max: type.max });
    case 'text':
      return fc.string({ unit: 'grapheme' });
    default:
      return fc.oneof(floatOf(datatype), fc.constantFrom('NaN', 'Infinity', '-Infinity'));
  }
}

/** JSON has no minus zero: it is read back as zero. */
function floatOf(datatype: Datatype): fc.Arbitrary<number> {
  const options = { noNaN: true, noDefaultInfinity: true };
  const exact: Partial<Record<Datatype, fc.Arbitrary<number>>> = {
    FP16: fc.float({ ...options, min: -65504, max: 65504 }).map((value) => Math.f16round(value)),
    FP32: fc.float(options),
  };
  return (exact[datatype] ?? fc.double(options)).map((value) => (Object.is(value, -0) ? 0 : value));
}

const tensor = fc
  .tuple(fc.constantFrom(...names), fc.array(fc.nat({ max: 4 }), { maxLength: 4 }))
  .chain(([datatype, shape]) => {
    const count = sizeOf(shape);
    const values = fc.array(valueOf(datatype), { minLength: count, maxLength: count });
    return fc.record({ datatype: fc.constant(datatype), shape: fc.constant(shape), values });
  });

/** Through a whole V2 request and answer, as JSON or as binary data. */
function roundTrip(
  { datatype, shape, values }: { datatype: Datatype; shape: number[]; values: unknown[] },
  binary: boolean,
): unknown {
  const info = { name: 'x', datatype, shape };
  const data = dataOfValues(datatype, values, 'x');
  const bytes = Buffer.from(bytesOfData(data));
  const sent = binary
    ? { parameters: { binary_data_size: bytes.length } }
    : { data: shape.length === 0 ? values : nest(values, shape) };
  const head = { inputs: [{ ...info, ...sent }], parameters: { binary_data_output: binary } };
  const json = Buffer.from(formatJson(head));
  const body = binary ? Buffer.concat([json, bytes]) : json;
  const request = parseInferRequest(body, binary ? String(json.length) : undefined, []);
  const answer = makeInferAnswer({ name: 'm', version: undefined }, request, request.inputs);
  const all = Buffer.concat(answer.chunks);
  const split = Number(answer.headers['inference-header-content-length'] ?? all.length);
  const [output] = readOutputs(all.toString('utf8', 0, split));
  expect(output).toMatchObject({ name: 'x', datatype, shape });
  const back = output?.data
    ? dataOfValues(datatype, output.data, 'y')
    : dataOfBytes(datatype, all.subarray(split), values.length, 'y');
  expect(back).toEqual(data);
  return valuesOfData(datatype, back);
}

function readOutputs(text: string): { data?: unknown[] }[] {
  const answer: unknown = parseJson(text, 'the answer');
  return Reflect.get(Object(answer), 'outputs');
}

describe('tensors', () => {
  test('go through a JSON request and answer unchanged', () => {
    fc.assert(
      fc.property(tensor, (one) => {
        expect(formatJson(roundTrip(one, false))).toBe(formatJson(one.values));
      }),
      { numRuns: 1000 },
    );
  });

  test('go through a binary request and answer unchanged', () => {
    fc.assert(
      fc.property(tensor, (one) => {
        expect(formatJson(roundTrip(one, true))).toBe(formatJson(one.values));
      }),
      { numRuns: 1000 },
    );
  });

  test('any bytes as binary data are a tensor or are refused, never anything else', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.uint8Array({ maxLength: 40 }),
        fc.nat({ max: 10 }),
        (datatype, bytes, count) => {
          let data;
          try {
            data = dataOfBytes(datatype, bytes, count, 'x');
          } catch (error) {
            expect(error).toMatchObject({ code: 'bad_request' });
            return;
          }
          expect(data).toHaveLength(count);
          expect(Buffer.from(bytesOfData(data))).toEqual(Buffer.from(bytes));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('nested and flat lists mean the same', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 4 }), (shape) => {
        const values = Array.from({ length: sizeOf(shape) }, (_, index) => index);
        const nested = nest(values, shape);
        expect(flatten(nested as unknown[], shape, 'x')).toEqual(values);
      }),
    );
  });

  test('any JSON value as a request is refused in words or parsed', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseInferRequest(Buffer.from(text), undefined, []);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_request' });
        }
      }),
    );
  });
});

describe('integers in JSON', () => {
  test('beyond 2^53 stay exact both ways', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const parsed = parseJson(`{"a":[${value}]}`, 'x');
        expect(formatJson(parsed)).toBe(`{"a":[${value}]}`);
      }),
    );
  });

  test.each([
    '1e400',
    '0.10000000149011612',
    '1234567890123456.5',
    '12345678901234567e3',
    '"12345678901234567"',
  ])('what only looks like a long integer is left alone: %s', (text) => {
    expect(parseJson(text, 'x')).toEqual(JSON.parse(text));
  });
});
