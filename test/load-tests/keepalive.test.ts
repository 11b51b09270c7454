import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bootstrapRatio, groupTwins } from '#load-tests/keepalive/bootstrap.ts';
import { evaluate } from '#load-tests/keepalive/evaluate.ts';
import { checkGoals } from '#load-tests/keepalive/goals.ts';
import { formatReport, type Report } from '#load-tests/keepalive/report.ts';
import { resultFile } from '#load-tests/measure/results.ts';
import { createFixed } from '#simulate/planners.ts';
import { replay } from '#simulate/replay.ts';
import { makeTrace } from '#test/simulate/traces.ts';

const MINUTE = 60_000;
const README = new URL('../../policies/README.md', import.meta.url);

describe('bootstrap', () => {
  const trace = makeTrace({ a: [0, 5, 90], b: [1, 8, 40], c: [0, 5, 90], d: [7] });
  const [short, long] = [2, 10].map(
    (minutes) => replay(trace, createFixed('x', minutes * MINUTE))[0]!,
  );

  test('models with the same arrivals are drawn together', () => {
    expect(groupTwins(trace)).toEqual([[0, 2], [1], [3]]);
  });

  test('the interval holds the ratio, and is the same each time', () => {
    const interval = bootstrapRatio(groupTwins(trace), long!, short!);
    expect(interval.low).toBeLessThan(long!.whole.cold / short!.whole.cold);
    expect(interval.high).toBeGreaterThan(long!.whole.cold / short!.whole.cold);
    expect(bootstrapRatio(groupTwins(trace), long!, short!)).toEqual(interval);
    expect(bootstrapRatio([[0], [1]], short!, short!)).toEqual({ low: 1, high: 1 });
  });
});

test('an evaluation compares at equal memory, online and under caps', () => {
  const timers = Object.fromEntries(
    [3, 7, 20, 45].map((every) => [
      `m${every}`,
      Array.from({ length: Math.floor(600 / every) }, (_, at) => at * every),
    ]),
  );
  const result = evaluate('A1350', makeTrace(timers, { until: 600 }), () => {});
  expect(result.equalMemory.map(({ baseline }) => baseline)).toContain('hybrid');
  const ten = result.equalMemory.find(({ baseline }) => baseline === 'fixed:10m')!;
  expect(ten.adaptive).toBeLessThan(ten.cold);
  expect(ten.ratio).toBe(ten.adaptive / ten.cold);
  expect(result.online).toHaveLength(2);
  expect(result.capped).toHaveLength(5);
  expect(checkGoals([result])).toHaveLength(9);
});

describe('what is committed', () => {
  const report: Report = JSON.parse(readFileSync(resultFile('keepalive'), 'utf8'));

  test('meets all goals', () => {
    const goals = checkGoals(report.traces);
    expect(goals).toHaveLength(13);
    expect(goals.filter(({ most, reached }) => !(reached <= most))).toEqual([]);
  });

  test('is what the table shows', () => {
    const shown = readFileSync(README, 'utf8');
    const cells = (text: string): string[] =>
      text.split('\n').map((line) => line.replaceAll(/\s+/g, ' ').replaceAll(/-+/g, '-'));
    const lines = new Set(cells(shown));
    expect(cells(formatReport(report)).filter((line) => !lines.has(line))).toEqual([]);
  });
});
