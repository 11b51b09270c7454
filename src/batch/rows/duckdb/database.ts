import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { messageOf, Fault } from '#lib/fault.ts';
import { quoteTexts } from './sql.ts';

/** All that the library may hold, of the 300 MiB that a job may take. */
const MEMORY_MB = 100;
/** More is needed where each of 2,048 rows has so many cells, as text and as what is made of it. */
const WIDE_COLUMNS = 256;
const MB_A_COLUMN = 0.25;
/** Its statements name each column several times, and are compared with one another. */
const MAX_COLUMNS = 1024;
/** A message of the library quotes the line; a line may be a megabyte. */
const MAX_MESSAGE = 500;

export interface Database {
  readonly connection: DuckDBConnection;
  close(): void;
}

/** A database in memory that reaches nothing but these files and what lies in these folders. */
export async function openDatabase(may: {
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
  /** How many columns are read. */
  readonly columns?: number;
}): Promise<Database> {
  const instance = await DuckDBInstance.create(':memory:', {
    // Rows stay in order, and instances of models have the other processors.
    threads: '1',
    preserve_insertion_order: 'true',
    memory_limit: `${memoryMb(may.columns ?? 0)}MB`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection = await instance.connect();
  await connection.run(`SET temp_directory = ''`);
  await connection.run(`SET allowed_paths = ${quoteTexts(may.files ?? [])}`);
  await connection.run(`SET allowed_directories = ${quoteTexts(may.folders ?? [])}`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function memoryMb(columns: number): number {
  return MEMORY_MB + Math.ceil(Math.max(0, columns - WIDE_COLUMNS) * MB_A_COLUMN);
}

/** So many columns take more memory: `openDatabase` has to know of them. */
export function isWide(columns: number): boolean {
  return columns > WIDE_COLUMNS;
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
