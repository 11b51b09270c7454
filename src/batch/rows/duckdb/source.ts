import type { DuckDBConnection, DuckDBDataChunk } from '@duckdb/node-api';
import { Fault } from '#lib/fault.ts';
import { regroup, sliceRows } from '../batches.ts';
import { misfit } from '../cast.ts';
import type { Encoding } from '../formats.ts';
import { type InputFile, versionOf } from '../locate.ts';
import { readingsOf } from '../readings.ts';
import type { ColumnHead, RowBatch, RowSource } from '../rows.ts';
import { createWeaver, unweave, type Weaver } from '../weave.ts';
import { type Database, databaseFault, openDatabase, refuseWide } from './database.ts';
import { type OpenRelation, openRelation } from './relation.ts';
import { END, makeSelect, NOTHING } from './select.ts';
import { readColumns, readNotes } from './vectors.ts';

/** CSV, JSON Lines and Parquet. */
export async function openDatabaseSource(
  files: readonly InputFile[],
  encoding: Encoding,
): Promise<RowSource> {
  const paths = files.map(({ path }) => path);
  const what = paths.length === 1 ? (paths[0] ?? '') : `${paths[0]} and ${paths.length - 1} more`;
  const { database, relation } = await openBoth(paths, encoding, what);
  const { connection } = database;
  return {
    columns: relation.columns,
    ...(relation.rows !== undefined && { rows: relation.rows }),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    version: versionOf(files),
    async *read(from, size, as = relation.columns) {
      const readings = readingsOf(relation.columns, unweave(as), relation.cells);
      const sql = makeSelect(relation, readings, from);
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

async function openBoth(
  files: readonly string[],
  encoding: Encoding,
  what: string,
): Promise<{ readonly database: Database; readonly relation: OpenRelation }> {
  const database = await openDatabase({ files });
  try {
    const relation = await openRelation(database.connection, files, encoding);
    const { length: columns } = relation.columns;
    refuseWide(what, columns);
    await database.seal(columns, 'read');
    return { database, relation };
  } catch (error) {
    database.close();
    throw databaseFault(error, what);
  }
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
  const parts = unweave(heads);
  const weave = createWeaver(heads);
  for await (const chunk of result) {
    const { ended, ...batch } = readChunk(chunk, parts, weave);
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
  weave: Weaver,
): RowBatch & { readonly ended: boolean } {
  const bad = new Map<number, string>();
  const columns = readColumns(chunk, heads, weave, bad);
  const length = chunk.rowCount;
  let ended = false;
  for (const [row, note] of readNotes(chunk, heads.length)) {
    if (note === END) ended = true;
    else bad.set(row, reasonOf(note, heads));
  }
  const batch = { first: 0, length, columns, ...(bad.size > 0 && { bad }) };
  return { ...(ended ? sliceRows(batch, 0, length - 1) : batch), ended };
}

const NOTHING_READ = 'the line is no JSON object with any of the columns';

/** `note`: what `makeSelect` says of a row. */
function reasonOf(note: string, heads: readonly ColumnHead[]): string {
  if (note === NOTHING) return NOTHING_READ;
  const space = note.indexOf(' ');
  const head = heads[Number(note.slice(0, space))];
  return head ? misfit(head, note.slice(space + 1)) : NOTHING_READ;
}
