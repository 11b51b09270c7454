import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { parseInferRequest, parseModelRequest } from '#activator/downstream/inference/messages.ts';
import { packContents } from '#activator/downstream/inference/tensors.ts';
import { inferRequest } from './inference-messages.ts';

/** Messages that are small for what would become of them. */

afterEach(() => void vi.restoreAllMocks());

const BYTES = 4 * 1024 * 1024;

/** Empty fields of a number, two bytes each. */
const many = (field: number): Buffer => Buffer.alloc(BYTES, Buffer.from([(field << 3) | 2, 0]));

function within(field: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(bytes).finish();
}

/** How often a field was begun, or an element of a packed one read. */
function countSteps(run: () => unknown): { steps: number; message: string } {
  const begun = vi.spyOn(BinaryReader.prototype, 'tag');
  const read = vi.spyOn(BinaryReader.prototype, 'int64');
  let message = '';
  try {
    run();
  } catch (error) {
    message = (error as Error).message;
  }
  return { steps: begun.mock.calls.length + read.mock.calls.length, message };
}

describe('4 MiB of fields are read no further than a model may need', () => {
  test.each([
    ['parameters', many(4), /^there are more than 256 parameters$/],
    ['inputs', many(5), /^there are more than 1024 inputs$/],
    ['outputs', many(6), /^there are more than 1024 outputs$/],
    ['raw tensors', many(7), /^there are more than 1024 raw_input_contents$/],
    ['unknown fields', many(15), /^there are more than 4096 fields$/],
    ['a group', Buffer.alloc(BYTES, Buffer.from([0x7b, 0x78, 0])), /^field 15 is a group$/],
    ['parameters of an input', within(5, many(4)), /^there are more than 256 parameters of an/],
    ['parameters of an output', within(6, many(2)), /^there are more than 256 parameters of an/],
    ['dimensions', within(5, within(3, Buffer.alloc(BYTES))), /more than 256 dimensions/],
    [
      'one dimension each',
      within(5, Buffer.alloc(BYTES, Buffer.from([0x18, 1]))),
      /256 dimensions/,
    ],
    ['fields of a parameter', within(4, many(15)), /^there are more than 4096 fields$/],
  ])('%s', (_, message, refusal) => {
    const parsed = countSteps(() => parseInferRequest(message));
    expect(parsed.message).toMatch(refusal);
    expect(parsed.steps).toBeLessThan(10_000);
  });

  test('nor for the name of the model', () => {
    for (const field of [4, 5, 6, 7, 15]) {
      const parsed = countSteps(() => parseModelRequest(many(field)));
      expect(parsed.message).toMatch(/^there are more than /);
      expect(parsed.steps).toBeLessThan(10_000);
      vi.restoreAllMocks();
    }
  });

  test('typed contents: a million values, then raw ones', () => {
    const limit = 1024 * 1024;
    expect(packContents('BOOL', within(1, Buffer.alloc(limit)))).toHaveLength(limit);
    expect(packContents('BYTES', many(8).subarray(0, 2 * limit))).toHaveLength(4 * limit);
    for (const [type, contents] of [
      ['BOOL', within(1, Buffer.alloc(limit + 1))],
      ['BOOL', Buffer.alloc(2 * limit + 2, Buffer.from([0x08, 1]))],
      ['BYTES', many(8)],
    ] as const) {
      expect(() => packContents(type, contents)).toThrow(/more than 1048576 values/);
    }
  });
});

test('what models have passes', () => {
  const inputs = Array.from({ length: 1024 }, (_, i) => ({
    name: `${i}`,
    datatype: 'FP32',
    shape: Array.from({ length: 256 }, () => 1),
  }));
  const outputs = inputs.map(({ name }) => name);
  const raw = inputs.map(() => Buffer.alloc(4));
  const message = inferRequest({ model: 'm', version: '2', inputs, outputs, raw });
  expect(parseModelRequest(message)).toEqual({ name: 'm', version: '2' });
  const request = parseInferRequest(message);
  expect(request.inputs.map(({ shape }) => shape)).toEqual(inputs.map(({ shape }) => shape));
  expect([request.outputs.length, request.raw.length]).toEqual([1024, 1024]);
});
