import { DuckDBInstance } from '@duckdb/node-api';

/** As the sample `digits` takes them: values of pixels, from 0 to 16. */
export const FEATURES = 64;
const VALUES = 17;

/** A Parquet file of so many rows, as the library writes them by default, always the same. */
export async function writeRows(path: string, rows: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const columns = Array.from(
      { length: FEATURES },
      (_, at) => `(hash(range * ${FEATURES} + ${at}) % ${VALUES})::FLOAT AS p${at}`,
    );
    await connection.run(
      `COPY (SELECT range AS id, ${columns.join(', ')} FROM range(${rows})) TO '${path}' (FORMAT parquet)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
