import fc from 'fast-check';
import { expect, test } from 'vitest';
import { slotsOfShard, splitRows } from '#batch/runner/shards/split.ts';

const rows = fc.integer({ min: 1, max: 100_000 });
const shards = fc.integer({ min: 1, max: 64 });

test('ranges are all rows, each once and in order, on borders of units, and about the same', () => {
  fc.assert(
    fc.property(rows, shards, fc.integer({ min: 1, max: 1000 }), (count, most, unit) => {
      const ranges = splitRows(count, most, unit);
      expect(ranges.length).toBe(Math.min(most, Math.ceil(count / unit)));
      expect(ranges[0]?.first).toBe(0);
      expect(ranges.at(-1)?.past).toBe(count);
      const lengths = ranges.map(({ first, past }) => past - first);
      for (const [index, { first }] of ranges.entries()) {
        expect(first % unit).toBe(0);
        if (index > 0) expect(first).toBe(ranges[index - 1]?.past);
      }
      expect(Math.min(...lengths)).toBeGreaterThan(0);
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThan(2 * unit);
    }),
  );
});

test('the slots of shards are those of the job, and never none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), shards, (slots, count) => {
      const each = Array.from({ length: count }, (_, index) => slotsOfShard(slots, count, index));
      expect(Math.min(...each)).toBeGreaterThanOrEqual(1);
      expect(each.reduce((sum, own) => sum + own, 0)).toBe(Math.max(slots, count));
    }),
  );
});
