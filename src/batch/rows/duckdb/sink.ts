import { dirname } from 'node:path';
import { DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api';
import { sliceRows, valuesOf } from '../batches.ts';
import { makeDurable } from '../durable.ts';
import type { ColumnHead, Format, RowSink } from '../rows.ts';
import { databaseFault, openDatabase, ROW_GROUP } from './database.ts';
import { quoteName, quoteText, SQL_TYPES, sqlTypeOf } from './sql.ts';
import { writeColumn } from './vectors.ts';

/** As many rows as a chunk of the library holds at most. */
const CHUNK = 2048;
/** JSON of more columns is made of fewer rows at once, of so many values: of a whole chunk it takes a megabyte a column. */
const WIDE_JSON = 64;
const JSON_VALUES = 65_536;

const WRITTEN_AS: Readonly<Record<Exclude<Format, 'arrow'>, string>> = {
  // The head of the whole file is written when parts are assembled.
  csv: 'FORMAT csv, HEADER false',
  jsonl: 'FORMAT json',
  parquet: `FORMAT parquet, ROW_GROUP_SIZE ${ROW_GROUP}`,
};

/** Rows stay in memory, packed, until the part is closed: parts are small. */
export async function openDatabaseSink(
  part: string,
  format: Exclude<Format, 'arrow'>,
  heads: readonly ColumnHead[],
): Promise<RowSink> {
  const database = await openDatabase({ folders: [dirname(part)] });
  const { connection } = database;
  await database.seal(valuesOf(heads), 'write');
  const columns = heads.map((head, index) => `c${index} ${sqlTypeOf(head)}`);
  await connection.run(`CREATE TABLE part (${columns.join(', ')})`);
  if (format === 'jsonl') await connection.run(JSON_NUMBER);
  const appender = await connection.createAppender('part');
  const types = heads.map((_, index) => appender.columnType(index));
  const slice =
    format === 'jsonl' && heads.length > WIDE_JSON ? JSON_VALUES / heads.length : Infinity;
  let length = 0;
  return {
    async write(batch) {
      length += batch.length;
      for (let at = 0; at < batch.length; at += CHUNK) {
        const rows = sliceRows(batch, at, Math.min(at + CHUNK, batch.length));
        appender.appendDataChunk(chunkOf(types, rows));
      }
    },
    async close() {
      try {
        appender.closeSync();
        const cells = heads.map((head, index) => {
          const cell = format === 'jsonl' ? jsonOf(`c${index}`, head) : `c${index}`;
          return `${cell} AS ${quoteName(head.name)}`;
        });
        await connection.run(
          `COPY (SELECT ${cells.join(', ')} FROM ${sliced(length, slice)}) TO ${quoteText(part)} (${WRITTEN_AS[format]})`,
        );
        await makeDurable(part);
      } catch (error) {
        throw databaseFault(error, part);
      } finally {
        database.close();
      }
    },
  };
}

/** The rows of the part in order, at most so many in each chunk that the library makes something of. */
function sliced(length: number, most: number): string {
  if (length <= most) return 'part';
  const size = Math.max(1, Math.floor(most));
  const slices = Array.from({ length: Math.ceil(length / size) }, (_, index) => {
    return `SELECT * FROM part WHERE rowid >= ${index * size} AND rowid < ${(index + 1) * size}`;
  });
  return `(${slices.join(' UNION ALL ')})`;
}

/** As it stands, the library writes NaN, which is no JSON, and of a FP32 the digits of its FP64. */
const JSON_NUMBER =
  `CREATE MACRO json_number(x) AS CAST(CASE WHEN isfinite(x) THEN CAST(x AS VARCHAR) ` +
  `WHEN isnan(x) THEN '"NaN"' WHEN x > 0 THEN '"Infinity"' WHEN x < 0 THEN '"-Infinity"' END AS JSON)`;

function jsonOf(cell: string, { type, width }: ColumnHead): string {
  if (type !== 'FP32' && type !== 'FP64') return cell;
  if (width === undefined) return `json_number(${cell})`;
  return `list_transform(CAST(${cell} AS ${SQL_TYPES[type]}[]), lambda x: json_number(x))`;
}

function chunkOf(
  types: readonly DuckDBType[],
  rows: ReturnType<typeof sliceRows>,
): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create(types, rows.length);
  for (const [index, column] of rows.columns.entries()) writeColumn(chunk, index, column);
  return chunk;
}
