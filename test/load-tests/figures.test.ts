import fc from 'fast-check';
import { expect, test } from 'vitest';
import { figureOf, quantile, rotate } from '#load-tests/measure/figures.ts';
import { cpuMicros } from '#load-tests/measure/process.ts';
import { formatTable } from '#lib/table.ts';
import { formatFigure } from '#load-tests/measure/table.ts';

test.each([
  [[1, 2, 3], 0.5, 2],
  [[1, 2, 3, 4], 0.5, 2.5],
  [[10, 20], 0.95, 19.5],
  [[7], 0.99, 7],
  [[], 0.5, 0],
])('of %j the quantile %d is %d', (sorted, share, expected) => {
  expect(quantile(sorted, share)).toBeCloseTo(expected, 10);
});

test('a figure is the median with the ends, in whatever order the values came', () => {
  expect(figureOf([5, 1, 9])).toEqual({ median: 5, low: 1, high: 9, rounds: 3 });
  const values = fc.array(fc.double({ noNaN: true, min: 0, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(values, (all) => {
      const { median, low, high } = figureOf(all);
      expect([low, high]).toEqual([Math.min(...all), Math.max(...all)]);
      expect(all.filter((one) => one < median).length).toBeLessThanOrEqual(all.length / 2);
      expect(all.filter((one) => one > median).length).toBeLessThanOrEqual(all.length / 2);
    }),
  );
});

test('over as many rounds as there are peers, each comes once at each place', () => {
  const rounds = [0, 1, 2].map((round) => rotate(['a', 'b', 'c'], round).join(''));
  expect(rounds).toEqual(['abc', 'bca', 'cab']);
});

test('CPU is read behind a name that holds anything', () => {
  const stat = '42 (a) b ( 1 2) R 1 42 42 0 -1 4194560 512 0 0 0 150 50 7 8 20 0 1 0 9 1 1';
  expect(cpuMicros(stat)).toBe(2_000_000);
});

test('a table is Markdown with the columns below each other', () => {
  const rows = [['rouse', formatFigure({ median: 1.25, low: 1, high: 2, rounds: 9 }, 1, 2)]];
  expect(formatTable(['peer', 'CPU'], rows)).toBe(
    [
      '| peer  |              CPU |',
      '| ----- | ---------------: |',
      '| rouse | 1.25 (1.00–2.00) |',
    ].join('\n'),
  );
});
