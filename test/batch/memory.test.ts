import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { RUNNER } from '#serve/jobs/job-runner.ts';
import { useTeardown } from '#test/teardown.ts';
import { makeFolder } from './row-files.ts';

const end = useTeardown();
const CHILD = join(import.meta.dirname, 'read-child.ts');
/** What a job may take in all. Node with the library takes 100 MiB before it reads anything. */
const LIMIT = 300 * 2 ** 20;
const ROWS = 60_000;
/** Seconds of work, on a machine that may be busy. */
const TIMEOUT_MS = 180_000;

/** So many rows of 64 features. */
async function writeFeatures(path: string, options: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const features = Array.from(
    { length: 64 },
    (_, at) => `(hash(range * 64 + ${at}) % 1000 / 10)::FLOAT AS p${at}`,
  );
  await connection.run(
    `COPY (SELECT range AS id, ${features.join(', ')} FROM range(${ROWS})) TO '${path}' (${options})`,
  );
  connection.closeSync();
  instance.closeSync();
}

describe('reading takes as much memory for many rows as for few', { timeout: TIMEOUT_MS }, () => {
  test.each([
    ['csv', 'FORMAT csv'],
    ['csv.gz', 'FORMAT csv, COMPRESSION gzip'],
    ['jsonl', 'FORMAT json'],
    ['parquet', 'FORMAT parquet'],
  ])('%s', async (ending, options) => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeFeatures(path, options);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...RUNNER.execArgv, CHILD, path],
      { env: { ...process.env, ...RUNNER.env } },
    );
    const read: { rows: number; bytes: number } = JSON.parse(stdout);
    expect(read.rows).toBe(ROWS);
    expect(read.bytes).toBeLessThan(LIMIT);
  });
});
