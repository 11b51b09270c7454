import type { DuckDBConnection } from '@duckdb/node-api';

/** Values of the first row of an answer. */
export async function firstRow(connection: DuckDBConnection, sql: string): Promise<unknown[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows()[0] ?? [];
}
