import type { DuckDBConnection } from '@duckdb/node-api';
import type { Encoding } from '../formats.ts';
import { refuseOthers } from '../readings.ts';
import type { ColumnHead } from '../rows.ts';
import { guessJsonTypes } from './json-types.ts';
import type { Relation } from './select.ts';
import { quoteText, quoteTexts } from './sql.ts';

/** Larger rows are taken for a file that is no JSON Lines. Buffers are twice as large. */
const MAX_OBJECT = 2 ** 20;
/** Rows of a file from which its columns are guessed. */
const SAMPLE = 1024;

/**
 * The files as one relation, with the columns of the first. Values are read as the text that they are and cast one by
 * one: a line or a value that is no good must neither end the file nor be taken for one that is missing.
 */
export async function openJson(
  connection: DuckDBConnection,
  paths: readonly string[],
  { compression }: Encoding,
): Promise<Relation> {
  const [first = '', ...others] = paths;
  const options =
    `format = 'newline_delimited', compression = '${compression ?? 'uncompressed'}', ` +
    `maximum_object_size = ${MAX_OBJECT}, ignore_errors = true`;
  const columns = await guess(connection, first, options);
  for (const path of others) {
    const found = await guess(connection, path, options);
    // A row need not have all of them.
    const common = found.some(({ name }) => columns.some((column) => column.name === name));
    if (!common) refuseOthers(path, found, first, columns);
  }
  const types = columns.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`);
  const sql = `read_json(${quoteTexts(paths)}, ${options}, columns = {${types.join(', ')}})`;
  return { sql, cells: 'json', columns };
}

async function guess(
  connection: DuckDBConnection,
  path: string,
  options: string,
): Promise<ColumnHead[]> {
  const reader = await connection.runAndReadAll(
    `SELECT json FROM read_json_objects(${quoteText(path)}, ${options}) LIMIT ${SAMPLE}`,
  );
  return guessJsonTypes(
    reader.getRows().flatMap(([json]) => (typeof json === 'string' ? json : [])),
  );
}
