import { dirname } from 'node:path';
import { databaseFault, openDatabase } from './database.ts';
import { quoteText, quoteTexts } from './sql.ts';

/** Rows that are packed together; they lie in memory until they are written. */
const ROW_GROUP = 61_440;

/** Parquet files, in order, as one. */
export async function joinParquet(parts: readonly string[], to: string): Promise<void> {
  const database = await openDatabase({ files: parts, folders: [dirname(to)] });
  try {
    await database.connection.run(
      `COPY (SELECT * FROM read_parquet(${quoteTexts(parts)}, hive_partitioning = false)) ` +
        `TO ${quoteText(to)} (FORMAT parquet, ROW_GROUP_SIZE ${ROW_GROUP})`,
    );
  } catch (error) {
    throw databaseFault(error, to);
  } finally {
    database.close();
  }
}
