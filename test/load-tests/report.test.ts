import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formatReport as formatBurst } from '#load-tests/burst/report.ts';
import { formatReport as formatCold } from '#load-tests/cold/report.ts';
import { formatReport as formatK6 } from '#load-tests/k6/report.ts';
import { describeRun, formatHead } from '#load-tests/measure/report.ts';
import { resultFile } from '#load-tests/measure/results.ts';
import { formatReport as formatProxy } from '#load-tests/proxy/report.ts';
import { readVersion } from '#lib/version.ts';

const MACHINE = { cores: 2, cpu: 'a CPU', loadAtStart: 0.25, noisy: false };

test('the head of a report names the versions, Rouse first, and the machine', () => {
  const head = describeRun('burst', MACHINE, { node: '24.0.0', wrk: '4.1.0' });
  expect(Object.keys(head)).toEqual(['benchmark', 'at', 'versions', 'machine']);
  expect(new Date(head.at).toISOString()).toBe(head.at);
  expect(formatHead(head)).toBe(
    `rouse ${readVersion()}, node 24.0.0, wrk 4.1.0; 2 cores (a CPU), load at the start 0.25`,
  );
});

test('a head of a busy machine says so', () => {
  const head = describeRun('burst', { ...MACHINE, noisy: true }, {});
  expect(formatHead(head)).toMatch(/ 0\.25: NOISY, other programs were running$/);
});

test.each<[string, (json: string) => string]>([
  ['burst', (json) => formatBurst(JSON.parse(json))],
  ['cold', (json) => formatCold(JSON.parse(json))],
  ['k6', (json) => formatK6(JSON.parse(json))],
  ['proxy', (json) => formatProxy(JSON.parse(json))],
])('the committed result of %s begins with its head', (benchmark, format) => {
  const json = readFileSync(resultFile(benchmark), 'utf8');
  expect(format(json)).toMatch(
    /^rouse \d[^\n;]*; \d+ cores \(.+\), load at the start \d[^\n]*\n\n/,
  );
});
