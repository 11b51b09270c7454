import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLines, LINE_CHARS } from '#runtime/local/process/output.ts';
import { createFakeClock } from '#test/fake-clock.ts';

function collect() {
  const clock = createFakeClock();
  const seen: string[] = [];
  const lines = createLines({ clock, onLine: (text) => seen.push(text) });
  return { clock, seen, lines };
}

test('however the bytes are cut, the lines are the same', () => {
  const line = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .map((text) => text.replaceAll(/[\p{C}\u2028\u2029]/gu, ''));
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 10 }), cuts, (wanted, at) => {
      const { lines, seen } = collect();
      const bytes = Buffer.from(`${wanted.join('\n')}\n`);
      const edges = [
        0,
        ...at.filter((n) => n < bytes.length).toSorted((a, b) => a - b),
        bytes.length,
      ];
      for (let n = 1; n < edges.length; n++) lines.write(bytes.subarray(edges[n - 1], edges[n]));
      lines.end();
      expect(seen).toEqual(wanted);
    }),
  );
});

test('no line is longer than its limit, and none has a control character', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20_000 }), { maxLength: 4 }), (chunks) => {
      const { lines, seen } = collect();
      for (const chunk of chunks) lines.write(Buffer.from(chunk));
      lines.end();
      for (const text of seen) {
        expect(text.length).toBeLessThanOrEqual(LINE_CHARS * 4 + 10);
        // oxlint-disable-next-line no-control-regex -- these must not be there
        expect(text).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
      }
    }),
    { numRuns: 50 },
  );
});

test('what is more than its share is dropped, counted, and told in the next second', () => {
  const { clock, lines, seen } = collect();
  const chunk = Buffer.alloc(64 * 1024, 'x\n');
  for (let n = 0; n < 5; n++) expect(lines.write(chunk)).toBe(0);
  const before = seen.length;
  expect(before).toBe(4 * 32 * 1024);
  clock.advance(1000);
  lines.write(Buffer.from('back\n'));
  expect(seen.slice(before)).toEqual([
    '… 64Ki of output dropped: more than 256Ki in a second',
    'back',
  ]);
});

test('who floods is asked to wait until the second is over', () => {
  const { clock, lines } = collect();
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  for (let n = 0; n < 4; n++) expect(lines.write(chunk)).toBe(0);
  clock.advance(400);
  expect(lines.write(chunk)).toBe(600);
  clock.advance(600);
  expect(lines.write(chunk)).toBe(0);
});
