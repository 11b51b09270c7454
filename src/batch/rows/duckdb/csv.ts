import type { DuckDBConnection } from '@duckdb/node-api';
import type { Encoding } from '../formats.ts';
import { refuseOthers } from '../readings.ts';
import type { ColumnHead, ColumnType } from '../rows.ts';
import { readCsvHead } from './csv-head.ts';
import { MAX_LINE } from './csv-end.ts';
import { refuseWide } from './database.ts';
import { firstRow } from './query.ts';
import type { Relation } from './select.ts';
import { quoteName, quoteText, quoteTexts } from './sql.ts';

const BUFFER = 2 * MAX_LINE;
/** Rows from which types are guessed, of a table that is not wide; of one that is, as many cells. */
const SAMPLE = 20_480;
const SAMPLE_CELLS = 64 * SAMPLE;
/** The library compares each expression of a statement with all others. */
const GUESSED_AT_ONCE = 256;

/**
 * The files as one relation, as RFC 4180 has it. The first line of each names its columns, and all must have the same.
 * Nothing but what separates cells is guessed of the form: the library's guess takes a ragged file for one of a
 * single column.
 */
export async function openCsv(
  connection: DuckDBConnection,
  paths: readonly string[],
  { compression }: Encoding,
): Promise<Relation> {
  const [first = '', ...others] = paths;
  const { delimiter, names } = await readCsvHead(first, compression, MAX_LINE);
  refuseWide(first, names.length);
  for (const path of others) {
    const { names: found } = await readCsvHead(path, compression, MAX_LINE);
    refuseOthers(path, textColumns(found), first, textColumns(names));
  }
  const types = names.map((name) => `${quoteText(name)}: 'VARCHAR'`);
  const options = [
    `auto_detect = false, header = true, columns = {${types.join(', ')}}`,
    `delim = ${quoteText(delimiter)}, quote = '"', escape = '"', allow_quoted_nulls = false`,
    `compression = '${compression ?? 'none'}', max_line_size = ${MAX_LINE}, buffer_size = ${BUFFER}`,
  ];
  const sql = `read_csv(${quoteTexts(paths)}, ${options.join(', ')})`;
  return { sql, cells: 'text', columns: await guessTypes(connection, sql, names) };
}

function textColumns(names: readonly string[]): ColumnHead[] {
  return names.map((name) => ({ name, type: 'BYTES' }));
}

/** What each value looks like; a date is text, and so is a number with zeros before it, which is a key. */
async function guessTypes(
  connection: DuckDBConnection,
  sql: string,
  names: readonly string[],
): Promise<ColumnHead[]> {
  const rows = Math.min(SAMPLE, Math.ceil(SAMPLE_CELLS / names.length));
  const sample = `(SELECT * FROM ${sql} LIMIT ${rows})`;
  const columns: ColumnHead[] = [];
  for (let at = 0; at < names.length; at += GUESSED_AT_ONCE) {
    const some = names.slice(at, at + GUESSED_AT_ONCE);
    columns.push(...(await guessSome(connection, sample, some)));
  }
  return columns;
}

async function guessSome(
  connection: DuckDBConnection,
  sample: string,
  names: readonly string[],
): Promise<ColumnHead[]> {
  const guesses = names.map((name) => {
    const cell = quoteName(name);
    const digits = `ltrim(${cell}, '+-')`;
    const plain = `(${digits} NOT LIKE '0%' OR ${digits} LIKE '0.%' OR length(${digits}) = 1)`;
    const whole = `${cell} NOT LIKE '%.%' AND lower(${cell}) NOT LIKE '%e%'`;
    // A FILTER for each would cost a copy of all columns for each.
    const all = (condition: string) =>
      `bool_and(CASE WHEN ${cell} IS NOT NULL THEN ${condition} END)`;
    return [
      all(`lower(${cell}) IN ('true', 'false')`),
      all(`${plain} AND ${whole} AND TRY_CAST(${cell} AS BIGINT) IS NOT NULL`),
      all(`${plain} AND TRY_CAST(${cell} AS DOUBLE) IS NOT NULL`),
    ].join(', ');
  });
  const answers = await firstRow(connection, `SELECT ${guesses.join(', ')} FROM ${sample}`);
  const types: readonly ColumnType[] = ['BOOL', 'INT64', 'FP64'];
  return names.map((name, index) => {
    const fits = types.find((_, at) => answers[index * types.length + at] === true);
    return { name, type: fits ?? 'BYTES' };
  });
}
