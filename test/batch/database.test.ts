import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '#batch/rows/duckdb/database.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-database-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

test('of what was read of a file nothing is kept', async () => {
  const path = join(folder, 'rows.parquet');
  const database = await openDatabase({ files: [path] });
  const { connection } = database;
  await connection.run(
    `COPY (SELECT range AS id, hash(range) AS value FROM range(300000)) TO '${path}' (FORMAT parquet)`,
  );
  const read = await connection.runAndReadAll(`SELECT count(DISTINCT value) FROM '${path}'`);
  expect(read.getRows()).toEqual([[300_000n]]);
  const held = await connection.runAndReadAll(
    `SELECT tag FROM duckdb_memory() WHERE memory_usage_bytes > 0 AND tag LIKE '%CACHE%'`,
  );
  expect(held.getRows()).toEqual([]);
  database.close();
});
