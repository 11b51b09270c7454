import type { DuckDBConnection } from '@duckdb/node-api';
import { Fault } from '#lib/fault.ts';
import type { Encoding } from '../formats.ts';
import { openCsv } from './csv.ts';
import { openJson } from './json.ts';
import { openParquet } from './parquet.ts';
import { firstRow } from './query.ts';
import type { Relation } from './select.ts';

/** As many rows as are looked at before work starts. */
const SAMPLE = 2048;

export interface OpenRelation extends Relation {
  readonly rows?: number;
}

/** Looks at the files: what their columns are, and that there are rows. What the library throws is passed on. */
export async function openRelation(
  connection: DuckDBConnection,
  paths: readonly string[],
  encoding: Encoding,
): Promise<OpenRelation> {
  const relation = await relationOf(connection, paths, encoding);
  if (relation.columns.length > 0) {
    const sample = `SELECT count(*) FROM (SELECT * FROM ${relation.sql} LIMIT ${SAMPLE})`;
    const [count] = await firstRow(connection, sample);
    if (Number(count) > 0) return relation;
  }
  throw new Fault('invalid', `${paths.join(', ')}: there are no rows; expected at least one`);
}

async function relationOf(
  connection: DuckDBConnection,
  paths: readonly string[],
  encoding: Encoding,
): Promise<OpenRelation> {
  if (encoding.format === 'csv') return await openCsv(connection, paths, encoding);
  if (encoding.format === 'jsonl') return await openJson(connection, paths, encoding);
  return await openParquet(connection, paths);
}
