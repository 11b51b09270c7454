import { expect, test } from 'vitest';
import { makeReportPage } from '#api/job-report.ts';
import type { JobView } from '#domain/views.ts';

const JOB: JobView = {
  id: 'm-1',
  namespace: 'default',
  spec: { model: 'm', input: { location: '/<in>.csv' }, output: { path: '/out.csv' } },
  revision: 'v1',
  state: 'Succeeded',
  reason: '3 rows in 2.0 s',
  createdAt: 0,
  createdBy: { id: 'local', role: 'admin' },
  rows: { total: 3, done: 3, failed: 1 },
  instanceSeconds: 4,
  report: {
    rows: { total: 3, done: 3, failed: 1 },
    failures: [{ reason: 'found <script>, expected a number', rows: 1 }],
    seconds: 2,
    rowsPerSecond: 1.5,
    requests: 2,
    retries: 1,
    latency: { p50: 1, p95: 2, p99: 3, max: 4 },
    batchSize: 1.5,
    instanceSeconds: 4,
    outputs: [
      {
        name: 'y',
        count: 2,
        mean: 1,
        low: 0,
        high: 2,
        points: [
          [0, 1],
          [2, 1],
        ],
      },
      {
        name: 'label',
        count: 2,
        values: [
          ['"a"', 2],
          ['b', 1],
        ],
      },
    ],
  },
};

test('nothing that comes from rows or names is read as HTML', () => {
  const page = makeReportPage(JOB);
  expect(page).toContain('found &lt;script&gt;, expected a number');
  expect(page).toContain('/&lt;in&gt;.csv');
  expect(page).toContain('&quot;a&quot;');
  expect(page).not.toMatch(/<script|<in>/);
});

test('each output has a plot whose bars are as high as what they stand for', () => {
  const [, first = ''] = /<h3>y<\/h3>(.*?)<\/svg>/s.exec(makeReportPage(JOB)) ?? [];
  const heights = Array.from(first.matchAll(/height="([0-9.]+)"\/>/g), ([, height]) =>
    Number(height),
  );
  expect(heights.length).toBe(40);
  expect(heights.filter((height) => height > 0)).toEqual([120, 120]);
});

test('a plot says from where to where it goes, and each value has a bar of its own', () => {
  const page = makeReportPage(JOB);
  expect(page).toContain('<span>0</span><span>2</span>');
  expect(page).toMatch(/&quot;a&quot;.*<rect width="480\.0".*<th>b<\/th>.*<rect width="240\.0"/);
});

test('a job that has not ended has a page, too', () => {
  const { report: _, ...open } = JOB;
  expect(makeReportPage({ ...open, state: 'Running' })).toContain('There is no report');
});
