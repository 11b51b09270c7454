import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readRows, RESULTS } from './record-run.ts';
import { describeRows, findOnlyOurs, makeRows, mergeRows } from './results.ts';
import { SUITES } from './suites.ts';

const stock = { suite: 'e2e', activator: 'stock', date: '2026-01-30' } as const;
const ours = { suite: 'e2e', activator: 'rouse', date: '2026-01-31' } as const;
const passed = { name: 'TestA', outcome: 'passed', seconds: 1.25, said: '' } as const;
const failed = { name: 'TestA', outcome: 'failed', seconds: 3, said: 'got 502' } as const;
const skipped = { name: 'TestB', outcome: 'skipped', seconds: 0, said: 'b.go:7: not so' } as const;

test('a run takes the place of an older one of the same test with the same activator', () => {
  const old = [...makeRows(stock, [passed, skipped]), ...makeRows(ours, [failed])];
  const rows = mergeRows(old, makeRows({ ...ours, date: '2026-02-01' }, [passed]));
  expect(
    rows.map(({ test: name, activator, date, outcome }) => [name, activator, date, outcome]),
  ).toEqual([
    ['TestA', 'rouse', '2026-02-01', 'passed'],
    ['TestA', 'stock', '2026-01-30', 'passed'],
    ['TestB', 'stock', '2026-01-30', 'skipped'],
  ]);
});

test('a table for each suite, with what both activators did; why a test was skipped is said', () => {
  const page = describeRows([...makeRows(stock, [passed, skipped]), ...makeRows(ours, [failed])]);
  expect(page).toContain('stock: 1 of 2 passed (2026-01-30); ours: 0 of 1 passed (2026-01-31).');
  expect(page).toContain('| TestA | 1.3 s | **failed** |\n| TestB | **skipped** | – |');
  expect(page).toContain('Skipped by the suite: TestB, `b.go:7: not so`.');
});

test('what only ours fails is told from what both fail', () => {
  const both = { ...failed, name: 'TestC' };
  const gone = { ...failed, name: 'TestD', outcome: 'missing' } as const;
  const well = { ...passed, name: 'TestD' };
  const rows = [
    ...makeRows(stock, [passed, skipped, both, well]),
    ...makeRows(ours, [failed, skipped, both, gone]),
  ];
  expect(findOnlyOurs(rows, 'e2e')).toEqual(['TestA', 'TestD']);
  expect(findOnlyOurs(rows, 'ha')).toEqual([]);
});

test('the page says what the rows say, and these are of tests that are asked for', async () => {
  const rows = await readRows();
  expect(await readFile(RESULTS.page, 'utf8')).toBe(describeRows(rows));
  const strangers = rows.filter(({ suite, test: name }) => !SUITES[suite]?.tests.includes(name));
  expect(strangers).toEqual([]);
});
