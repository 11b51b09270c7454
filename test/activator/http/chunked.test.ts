import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkedScanner } from '#activator/http/chunked.ts';

/** What a plain reader makes of whole chunks: their data, or undefined where they are anything else. */
function readChunks(bytes: string): string | undefined {
  let rest = bytes;
  let data = '';
  while (rest !== '') {
    const [head, digits = ''] = /^([0-9A-Fa-f]{1,8})\r\n/.exec(rest) ?? [];
    const size = Number.parseInt(digits, 16);
    if (head === undefined || size === 0) return undefined;
    const end = head.length + size;
    if (rest.slice(end, end + 2) !== '\r\n') return undefined;
    data += rest.slice(head.length, end);
    rest = rest.slice(end + 2);
  }
  return data;
}

const chunk = fc.record({
  data: fc.string({
    minLength: 1,
    maxLength: 40,
    unit: fc.constantFrom('a', '0', '\r', '\n', ';'),
  }),
  zeros: fc.constantFrom('', '', '', '0', '00000000'),
  extension: fc.constantFrom('', '', '', ';a', ';a="b"'),
});

test('only whole chunks that every reader understands may go on as they are', () => {
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 6 }),
      fc.array(fc.nat({ max: 400 })),
      (chunks, cuts) => {
        const body = `${chunks
          .map(({ data, zeros, extension }) => {
            return `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`;
          })
          .join('')}0\r\n\r\n`;
        const scanner = new ChunkedScanner();
        scanner.start();
        let told = '';
        for (const [from, to] of pairs(cuts, body.length)) {
          const piece = Buffer.from(body.slice(from, to), 'latin1');
          expect(scanner.scan(piece, 0, piece.length)).toBe(piece.length);
          let data = '';
          for (let i = 0; i < scanner.data.length; i += 2) {
            data += piece.toString('latin1', scanner.data[i], scanner.data[i + 1]);
          }
          const plain = readChunks(piece.toString('latin1'));
          // What comes in one piece between two chunks is plain exactly if a plain reader can read it.
          if (scanner.isPlain) expect(plain).toBe(data);
          told += data;
        }
        expect(told).toBe(chunks.map(({ data }) => data).join(''));
        expect(scanner.done).toBe(true);
      },
    ),
    { numRuns: 3000 },
  );
});

test('chunks of a stream are plain; with an extension, in pieces or with the last one they are not', () => {
  const scanner = new ChunkedScanner();
  const scan = (text: string): boolean => {
    scanner.scan(Buffer.from(text), 0, text.length);
    return scanner.isPlain;
  };
  scanner.start();
  expect(scan('5\r\nhello\r\n3\r\nyou\r\n')).toBe(true);
  expect(scan('5;a=b\r\nhello\r\n')).toBe(false);
  expect(scan('000000005\r\nhello\r\n')).toBe(false);
  expect(scan('5\r\nhe')).toBe(false);
  expect(scan('llo\r\n')).toBe(false);
  expect(scan('5\r\nhello\r\n')).toBe(true);
  expect(scan('5\r\nhello\r\n0\r\n\r\n')).toBe(false);
});

test('more data than may come breaks it, wherever its bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat({ max: 200 })),
      fc.nat({ max: 100 }),
      (sizes, cuts, limit) => {
        const chunks = sizes.map((size) => `${size.toString(16)}\r\n${'a'.repeat(size)}\r\n`);
        const body = `${chunks.join('')}0\r\n\r\n`;
        const scanner = new ChunkedScanner();
        scanner.start(limit);
        let end = 0;
        for (const [from, to] of pairs(cuts, body.length)) {
          if (end >= 0) end = scanner.scan(Buffer.from(body.slice(from, to)), 0, to - from);
        }
        const isOver = sizes.reduce((sum, size) => sum + size, 0) > limit;
        expect(end < 0).toBe(isOver);
        expect(scanner.done).toBe(!isOver);
        if (isOver) expect(scanner.refusal.status).toBe(413);
      },
    ),
  );
});

function pairs(cuts: readonly number[], length: number): [number, number][] {
  const at = [...new Set([0, ...cuts.filter((cut) => cut < length), length])];
  at.sort((a, b) => a - b);
  return at.slice(1).map((to, i) => [at[i] ?? 0, to]);
}
