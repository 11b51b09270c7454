import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFrameReader, encodeFrame, FRAME_LIMIT, SIGN_OF_LIFE } from '#bus/frames.ts';

test('however the bytes are cut, the messages are the same', () => {
  const message = fc.record({ type: fc.string(), text: fc.string({ unit: 'grapheme' }) });
  fc.assert(
    fc.property(
      fc.array(fc.option(message), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
      (messages, sizes) => {
        const bytes = Buffer.concat(
          messages.map((each) => (each ? encodeFrame(each) : SIGN_OF_LIFE)),
        );
        const reader = createFrameReader();
        const got: unknown[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          got.push(...reader.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(got).toEqual(messages.filter((each) => each !== null));
        expect(reader.broken).toBe(false);
      },
    ),
  );
});

const good = encodeFrame({ type: 'good' });

function framed(text: string): Buffer {
  const frame = Buffer.from(`0000${text}`);
  frame.writeUInt32BE(frame.length - 4);
  return frame;
}

test.each([
  ['text', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['no JSON', framed('{')],
  ['null', framed('null')],
  ['a number', framed('5')],
  ['a list', framed('[]')],
  ['no type', framed('{"a":1}')],
  ['a type that is no text', framed('{"type":1}')],
])('garbage breaks the reader for ever, after what was good: %s', (_, bytes) => {
  const reader = createFrameReader();
  expect(reader.push(Buffer.concat([good, bytes, good]))).toEqual([{ type: 'good' }]);
  expect(reader.broken).toBe(true);
  expect(reader.push(good)).toEqual([]);
});

test('a frame over the limit breaks the reader before its body has come', () => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(FRAME_LIMIT + 1);
  const reader = createFrameReader();
  reader.push(head);
  expect(reader.broken).toBe(true);
});

test('a message over the limit is refused where it is made', () => {
  expect(() => encodeFrame({ type: 'x'.repeat(FRAME_LIMIT) })).toThrow(
    expect.objectContaining({ code: 'too_large' }),
  );
});
