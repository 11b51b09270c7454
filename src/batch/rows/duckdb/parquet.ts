import type { DuckDBConnection } from '@duckdb/node-api';
import { refuseOthers } from '../readings.ts';
import type { ColumnHead } from '../rows.ts';
import { databaseFault } from './database.ts';
import { firstRow } from './query.ts';
import type { Relation } from './select.ts';
import { parseSqlType, quoteName, quoteTexts } from './sql.ts';

/** Rows in which a list must stand once, for it to be known how long lists are; a chunk of the library. */
const SAMPLE = 2048;

/** The files as one relation; all must have the same columns. */
export async function openParquet(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<Relation & { readonly rows: number }> {
  const [first = '', ...others] = paths;
  const columns = await describe(connection, first);
  for (const path of others) refuseOthers(path, await describe(connection, path), first, columns);
  const list = quoteTexts(paths);
  const [rows] = await firstRow(
    connection,
    `SELECT sum(num_rows)::DOUBLE FROM parquet_file_metadata(${list})`,
  );
  return { sql: makeCall(paths), cells: 'types', columns, rows: Number(rows) };
}

function makeCall(paths: readonly string[]): string {
  return `read_parquet(${quoteTexts(paths)}, hive_partitioning = false)`;
}

async function describe(connection: DuckDBConnection, path: string): Promise<ColumnHead[]> {
  const sql = makeCall([path]);
  const reader = await connection
    .runAndReadAll(`DESCRIBE SELECT * FROM ${sql}`)
    .catch((error: unknown) => {
      throw databaseFault(error, path);
    });
  const found = reader.getRows().map(([name, sqlType]) => {
    const { type, list } = parseSqlType(String(sqlType));
    return { name: String(name), type, list };
  });
  const lists = found.filter(({ list }) => list);
  const lengths = lists.map(({ name }) => `, any_value(nullif(len(${quoteName(name)}), 0))`);
  const sample = `SELECT NULL${lengths.join('')} FROM (SELECT * FROM ${sql} LIMIT ${SAMPLE})`;
  const [, ...widths] = lists.length > 0 ? await firstRow(connection, sample) : [];
  return found.map(({ name, type, list }): ColumnHead => {
    if (!list) return { name, type };
    const width = Number(widths[lists.findIndex((column) => column.name === name)] ?? 0);
    return width > 0 ? { name, type, width } : { name, type: 'BYTES' };
  });
}
