import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addFailures,
  commonFailure,
  createReportBook,
  mergeMemories,
} from '#batch/runner/report.ts';
import type { Scored } from '#batch/runner/score.ts';

const request = fc.record({
  ms: fc.integer({ min: 0, max: 5000 }),
  rows: fc.integer({ min: 1, max: 9 }),
});
const scored = fc.record({
  values: fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 8 }),
  reasons: fc.array(fc.constantFrom('abc', 'too long'), { maxLength: 3 }),
});
const work = fc.array(fc.record({ request, scored, shard: fc.nat(2) }), { maxLength: 20 });

function makeScored({ values, reasons }: { values: number[]; reasons: string[] }): Scored {
  const column = { name: 'label', type: 'INT32' as const, values: Int32Array.from(values) };
  return {
    batch: { first: 0, length: values.length + reasons.length, columns: [] },
    rows: values.map((_, row) => row),
    columns: [column],
    failed: reasons.map((reason, row) => ({ row: values.length + row, reason })),
  };
}

test('what several have seen adds up to what one would have seen', () => {
  fc.assert(
    fc.property(work, (steps) => {
      const one = createReportBook(undefined);
      const shards = [0, 1, 2].map(() => createReportBook(undefined));
      for (const { request: sent, scored: done, shard } of steps) {
        for (const book of [one, shards[shard]]) {
          book?.request(sent.rows, sent.ms);
          book?.scored(makeScored(done));
          book?.retried();
        }
      }
      const rows = { total: 9, done: 9, failed: 0 };
      const merged = mergeMemories(shards.map(({ memory }) => memory));
      const { outputs, failures, ...report } = createReportBook(merged).report(rows);
      const expected = one.report(rows);
      expect(report).toEqual({ ...expected, outputs: undefined, failures: undefined });
      expect(new Set(failures)).toEqual(new Set(expected.failures));
      for (const [index, { values, points, ...output }] of outputs.entries()) {
        const { values: others, points: otherPoints, ...other } = expected.outputs[index] ?? {};
        expect(output).toEqual(other);
        expect(new Set(values)).toEqual(new Set(others));
        expect(points?.map(([value]) => value)).toEqual(otherPoints?.map(([value]) => value));
      }
    }),
  );
});

test('of very many reasons, each of one row, one that was told is the common one', () => {
  const book = createReportBook(undefined);
  expect(commonFailure(book.memory.failures)).toBeUndefined();
  const reasons = Array.from({ length: 100 }, (_, row) => `no root of ${row}`);
  book.scored(makeScored({ values: [], reasons }));
  expect(commonFailure(book.memory.failures)).toBe('no root of 0');
  expect(book.report({ done: 100, failed: 100 }).failures[0]).toEqual({
    reason: 'other reasons',
    rows: 50,
  });
});

test('a reason that is frequent in a later shard is told apart, also where the first has very many', () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, row) => [`no root of ${row}`, 1]));
  const sum = addFailures([{ ...many, 'other reasons': 70 }, { 'too long': 20 }]);
  expect(sum).toMatchObject({ 'too long': 20, 'no root of 0': 1 });
  expect(commonFailure(sum)).toBe('too long');
  expect(Object.values(sum).reduce((all, rows) => all + rows, 0)).toBe(140);
});

test('shards that run side by side take as long as the longest', () => {
  const books = [3000, 7000, 5000].map((ms) => {
    const book = createReportBook(undefined);
    book.ran(ms);
    return book.memory;
  });
  expect(mergeMemories(books).seconds).toBe(7);
});

test('integers that no double holds are told apart', () => {
  const book = createReportBook(undefined);
  const wide = 2n ** 53n;
  for (const values of [
    [7n, 7n],
    [wide, wide + 1n],
  ]) {
    const columns = [{ name: 'key', type: 'INT64' as const, values: BigInt64Array.from(values) }];
    book.scored({ batch: { first: 0, length: 2, columns: [] }, columns, failed: [] });
  }
  const [key] = book.report({ done: 4, failed: 0 }).outputs;
  expect(key?.values).toEqual([
    ['7', 2],
    [String(wide), 1],
    [String(wide + 1n), 1],
  ]);
});
