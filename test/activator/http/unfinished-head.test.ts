import fc from 'fast-check';
import { expect, test } from 'vitest';
import { refuseUnfinished } from '#activator/http/unfinished-head.ts';

const LIMIT = 64;

const refusalOf = (text: string, seen = 0, start = 0) =>
  refuseUnfinished(Buffer.from(text, 'latin1'), start, text.length, seen, LIMIT)?.status;

test.each([
  ['nothing yet', '', undefined],
  ['a part of a method', 'GE', undefined],
  ['a CR of an empty line before', '\r', undefined],
  ['a line and a part', 'GET / HTTP/1.1\r\nHos', undefined],
  ['a space first', ' GET', 400],
  ['TLS', '\x16\x03\x01', 400],
  ['a bare LF', 'GET / HTTP/1.1\nHost: h\r\n', 400],
  ['a bare LF after lines that end well', 'GET / HTTP/1.1\r\nHost: h\nA', 400],
  ['as long as it may be', 'G'.repeat(LIMIT), undefined],
  ['longer', 'G'.repeat(LIMIT + 1), 431],
])('%s', (_, text, expected) => {
  expect(refusalOf(text)).toBe(expected);
});

test('what is before the head, or was looked at, is not looked at again', () => {
  expect(refusalOf('\nGET', 0, 1)).toBeUndefined();
  expect(refusalOf('GET\nA', 4)).toBeUndefined();
  expect(refusalOf('GET\r', 0)).toBeUndefined();
  expect(refusalOf('GET\r\n', 4), 'the CR came with the piece before').toBeUndefined();
});

test('in pieces it is refused for the same as at once', () => {
  // No longer than it may be, which it would be refused for first, and only at once.
  const text = fc.string({
    unit: fc.constantFrom('G', ' ', '\r', '\n', '\r\n'),
    maxLength: LIMIT / 2,
  });
  fc.assert(
    fc.property(text, fc.array(fc.nat(40)), (head, cuts) => {
      const ends = [...cuts.filter((cut) => cut < head.length), head.length].toSorted(
        (a, b) => a - b,
      );
      let seen = 0;
      let refused: number | undefined;
      for (const end of ends) {
        refused = refusalOf(head.slice(0, end), seen);
        if (refused !== undefined) break;
        seen = end;
      }
      expect(refused).toBe(refusalOf(head));
    }),
  );
});
