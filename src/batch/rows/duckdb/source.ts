import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { Fault } from '#lib/fault.ts';
import { regroup, sliceRows } from '../batches.ts';
import { misfit } from '../cast.ts';
import type { Encoding } from '../formats.ts';
import { type InputFile, versionOf } from '../locate.ts';
import { readingsOf } from '../readings.ts';
import type { ColumnHead, RowBatch, RowSource } from '../rows.ts';
import { databaseFault, openDatabase } from './database.ts';
import { openRelation } from './relation.ts';
import { END, makeSelect, NOTHING } from './select.ts';
import { readColumn } from './vectors.ts';

/** CSV, JSON Lines and Parquet. */
export async function openDatabaseSource(
  files: readonly InputFile[],
  encoding: Encoding,
): Promise<RowSource> {
  const paths = files.map(({ path }) => path);
  const what = paths.length === 1 ? (paths[0] ?? '') : `${paths[0]} and ${paths.length - 1} more`;
  const database = await openDatabase({ files: paths });
  const { connection } = database;
  const relation = await openRelation(connection, paths, encoding).catch((error: unknown) => {
    database.close();
    throw databaseFault(error, what);
  });
  return {
    columns: relation.columns,
    ...(relation.rows !== undefined && { rows: relation.rows }),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    version: versionOf(files),
    async *read(from, size, as = relation.columns) {
      const sql = makeSelect(relation, readingsOf(relation.columns, as, relation.cells), from);
      try {
        yield* regroup(chunksOf(connection, sql, as), as, from, size);
      } catch (error) {
        throw databaseFault(error, what);
      }
    },
    async close() {
      database.close();
    },
  };
}

/**
 * The library's stream ends in the same way when there is no more row and when the next one cannot be read: only the row
 * that marks the end says that there is none.
 */
async function* chunksOf(
  connection: DuckDBConnection,
  sql: string,
  heads: readonly ColumnHead[],
): AsyncGenerator<RowBatch> {
  const result = await connection.stream(sql);
  for await (const chunk of result) {
    const { ended, ...batch } = readChunk(chunk, heads);
    yield batch;
    if (ended) return;
  }
  // Says what went wrong, which the stream did not.
  await connection.run(`SELECT count(COLUMNS(*)) FROM (${sql})`);
  throw new Fault('internal', 'reading broke off without a reason: try again');
}

function readChunk(
  chunk: DuckDBDataChunk,
  heads: readonly ColumnHead[],
): RowBatch & { readonly ended: boolean } {
  const bad = new Map<number, string>();
  const columns = heads.map((head, index) => readColumn(chunk, index, head, bad));
  const notes = chunk.getColumnVector(heads.length);
  const ended = notes.getItem(chunk.rowCount - 1) === END;
  const length = chunk.rowCount - (ended ? 1 : 0);
  for (let row = 0; row < length; row++) {
    const note = notes.getItem(row);
    if (typeof note === 'string') bad.set(row, reasonOf(note, heads));
  }
  const batch = { first: 0, length: chunk.rowCount, columns, ...(bad.size > 0 && { bad }) };
  return { ...(ended ? sliceRows(batch, 0, length) : batch), ended };
}

const NOTHING_READ = 'the line is no JSON object with any of the columns';

/** `note`: what `makeSelect` says of a row. */
function reasonOf(note: string, heads: readonly ColumnHead[]): string {
  if (note === NOTHING) return NOTHING_READ;
  const space = note.indexOf(' ');
  const head = heads[Number(note.slice(0, space))];
  return head ? misfit(head, note.slice(space + 1)) : NOTHING_READ;
}
