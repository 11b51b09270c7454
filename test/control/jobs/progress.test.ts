import { expect, test } from 'vitest';
import { makeProgress } from '#control/jobs/progress.ts';

const news = { type: 'progress', rowsPerSecond: 10, batchSize: 4 } as const;
const known = { rowsPerSecond: 10, batchSize: 4, instances: 2 };

test.each([
  ['rows that are counted', { total: 100, done: 40 }, undefined, { fraction: 0.4, etaSeconds: 6 }],
  ['all of them', { total: 100, done: 100 }, 90, { fraction: 1, etaSeconds: 0 }],
  ['rows that are estimated', { done: 40 }, 80, { fraction: 0.5, etaSeconds: 4 }],
  ['more than were estimated', { done: 90 }, 80, { fraction: 0.99 }],
  ['nobody knows', { done: 40 }, undefined, {}],
])('%s', (_what, rows, estimatedRows, expected) => {
  const progress = makeProgress(
    { ...news, rows: { ...rows, failed: 0 }, ...(estimatedRows && { estimatedRows }) },
    2,
  );
  expect(progress).toEqual({ ...known, ...expected });
});

test('while nothing is done, nobody knows how long it takes', () => {
  const rows = { total: 100, done: 0, failed: 0 };
  const progress = makeProgress({ ...news, rows, rowsPerSecond: 0 }, 0);
  expect(progress).toEqual({ rowsPerSecond: 0, batchSize: 4, instances: 0, fraction: 0 });
});
