import { dirname } from 'node:path';
import { valuesOf } from '../batches.ts';
import type { ColumnHead } from '../rows.ts';
import { databaseFault, openDatabase, ROW_GROUP } from './database.ts';
import { firstRow } from './query.ts';
import { quoteText, quoteTexts } from './sql.ts';

/** Parquet files with these columns, in order, as one. */
export async function joinParquet(
  parts: readonly string[],
  to: string,
  columns: readonly ColumnHead[],
): Promise<void> {
  const database = await openDatabase({ files: parts, folders: [dirname(to)] });
  const { connection } = database;
  const list = quoteTexts(parts);
  try {
    await database.seal(valuesOf(columns), 'write');
    const [most] = await firstRow(
      connection,
      `SELECT max(num_rows)::DOUBLE FROM parquet_file_metadata(${list})`,
    );
    // No more than a part had: those were held, too.
    const rows = Math.min(ROW_GROUP, Math.max(1, Number(most)));
    await connection.run(
      `COPY (SELECT * FROM read_parquet(${list}, hive_partitioning = false)) ` +
        `TO ${quoteText(to)} (FORMAT parquet, ROW_GROUP_SIZE ${rows})`,
    );
  } catch (error) {
    throw databaseFault(error, to);
  } finally {
    database.close();
  }
}
