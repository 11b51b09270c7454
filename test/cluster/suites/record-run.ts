import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeRows, makeRows, mergeRows, type Row } from './results.ts';
import type { SuiteRun } from './run-suite.ts';

/** Committed beside this file: what came of the last runs. */
export const RESULTS = {
  rows: join(import.meta.dirname, 'results.json'),
  page: join(import.meta.dirname, 'RESULTS.md'),
};

export async function readRows(): Promise<Row[]> {
  return JSON.parse(await readFile(RESULTS.rows, 'utf8'));
}

/** Writes down what came of a suite, in place of what is known of the same tests. `day`: as in 2026-01-31. */
export async function recordRun(suite: string, run: SuiteRun, day: string): Promise<void> {
  const fresh = makeRows({ suite, activator: run.activator, date: day }, run.results);
  const rows = mergeRows(await readRows(), fresh);
  await writeFile(RESULTS.rows, `${JSON.stringify(rows, null, 2)}\n`);
  await writeFile(RESULTS.page, describeRows(rows));
}
