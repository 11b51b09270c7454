import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { messageOf, Fault } from '#lib/fault.ts';
import { quoteTexts } from './sql.ts';

/** All that the library may hold, of the 300 MiB that a job may take. */
const MEMORY_MB = 100;
/** More is needed where each of 2,048 rows has so many values, as text and as what is made of it. */
const WIDE = 192;
/** A column takes a block of 256 KiB, however few rows are written. */
const MB_A_VALUE = { read: 0.25, write: 0.5 };
/** Its statements name each column several times, and are compared with one another. */
const MAX_COLUMNS = 1024;
/** Rows of Parquet that are packed together: they lie in memory when they are written, and in part when they are read. */
export const ROW_GROUP = 20_480;
/** A message of the library quotes the line; a line may be a megabyte. */
const MAX_MESSAGE = 500;

export interface Database {
  readonly connection: DuckDBConnection;
  /** Rows of so many values are read or written; to be said before that is done. From then on no setting can be changed. */
  seal(values: number, use: keyof typeof MB_A_VALUE): Promise<void>;
  close(): void;
}

/** A database in memory that reaches nothing but these files and what lies in these folders. */
export async function openDatabase(may: {
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
}): Promise<Database> {
  const instance = await DuckDBInstance.create(':memory:', {
    // Rows stay in order, and instances of models have the other processors.
    threads: '1',
    preserve_insertion_order: 'true',
    // What was read once is not read again.
    enable_external_file_cache: 'false',
    memory_limit: `${MEMORY_MB}MB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run(`SET temp_directory = ''`);
  await connection.run(`SET allowed_paths = ${quoteTexts(may.files ?? [])}`);
  await connection.run(`SET allowed_directories = ${quoteTexts(may.folders ?? [])}`);
  await connection.run('SET enable_external_access = false');
  return {
    connection,
    async seal(values, use) {
      const more = Math.ceil(Math.max(0, values - WIDE) * MB_A_VALUE[use]);
      await connection.run(`SET memory_limit = '${MEMORY_MB + more}MB'`);
      await connection.run('SET lock_configuration = true');
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

export function refuseWide(what: string, columns: number): void {
  if (columns <= MAX_COLUMNS) return;
  throw new Fault(
    'too_large',
    `${what}: ${columns} columns; at most ${MAX_COLUMNS} are read: put what belongs together into one column of lists (JSON Lines, Parquet, Arrow)`,
  );
}

/** What the library threw, as a Fault. `what`: the file or files that it was about. */
export function databaseFault(error: unknown, what: string): Fault {
  if (error instanceof Fault) return error;
  const [head = ''] = messageOf(error).split(/\n\s*(?:Possible (?:fixes|solutions?)|LINE \d)/i);
  if (head.startsWith('Out of Memory')) {
    const message = `${what}: needs more memory than a job may take; expected smaller rows or row groups`;
    return new Fault('too_large', message, { cause: error });
  }
  if (/does not support a full read/.test(head)) {
    return new Fault('invalid', `${what}: a line of it is too long`, { cause: error });
  }
  const text = head.replace(/^[A-Z][A-Za-z ]+ Error: /, '').replaceAll(/\s*\n\s*/g, '; ');
  const code = /No space left|Disk quota|File too large/i.test(text) ? 'storage_full' : 'invalid';
  return new Fault(code, `${what}: ${text.slice(0, MAX_MESSAGE)}`, { cause: error });
}
