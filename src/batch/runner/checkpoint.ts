import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { JobRows } from '#domain/job.ts';
import { faultOf } from '#lib/sqlite-fault.ts';
import type { ColumnHead } from '../rows/rows.ts';
import type { ReportMemory } from './report.ts';

/**
 * What is done of a job, on disk: the database is the only word on it.
 *
 * 1. Whoever has it open is the only one: the kernel's lock on `lock.db` ends with its process, however that ends. The
 *    next one waits for it.
 * 2. A part is named here only when its files are on disk; a file that no part names means nothing.
 * 3. Parts are rows that stand one behind the other, from the first row on, without a gap.
 */
export interface Checkpoint {
  readonly parts: readonly Part[];
  /** The first row that is in no part. */
  readonly next: number;
  get<K extends keyof State>(name: K): State[K] | undefined;
  set<K extends keyof State>(name: K, value: State[K]): void;
  /** `memory`: what was learned of all rows up to its end. Durable when it returns. */
  add(part: Part, memory: ReportMemory): void;
  close(): void;
}

/** `rows` of its rows are scored, the others have failed. */
export interface Part extends RowRange {
  readonly number: number;
  readonly rows: number;
  readonly failed: number;
}

/** Rows `first` to before `past` of the input. */
export interface RowRange {
  readonly first: number;
  readonly past: number;
}

interface State {
  /** Of the input. */
  readonly version: string;
  /** Of the output. */
  readonly columns: OutputColumns;
  readonly memory: ReportMemory;
  /** There are no more rows. */
  readonly complete: true;
  /** Of a job with shards: which rows each of them scores. */
  readonly ranges: readonly RowRange[];
  /** Of a job with shards that have ended. */
  readonly rows: JobRows;
  /** Final names are being given. */
  readonly publishing: true;
}
export type OutputColumns = readonly ColumnHead[];

/** A runner that was killed ends within milliseconds; one that hangs is killed by who started it. */
const FORMER_MS = 10_000;

const LOST = 'what it counted is lost, start a new job';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS part (
    number INTEGER PRIMARY KEY, first INTEGER NOT NULL, past INTEGER NOT NULL, rows INTEGER NOT NULL,
    failed INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;

/**
 * Throws a Fault, here and when something is written, that names the file: `storage_full`, `unavailable` where another one
 * has it for too long, or `internal`.
 *
 * @param first the first row that is to be scored.
 */
export function openCheckpoint(folder: string, first = 0): Checkpoint {
  const lock = takeLock(join(folder, 'lock.db'));
  const path = join(folder, 'checkpoint.db');
  try {
    return naming(path, LOST, () => readCheckpoint(path, lock, first));
  } catch (error) {
    lock.close();
    throw error;
  }
}

function takeLock(path: string): DatabaseSync {
  return naming(path, 'remove it, it holds nothing', () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const lock = new DatabaseSync(path, { timeout: FORMER_MS });
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  });
}

function readCheckpoint(path: string, lock: DatabaseSync, first: number): Checkpoint {
  const db = new DatabaseSync(path);
  // Without memory that is shared with others, which a network's file system does not have.
  db.exec('PRAGMA locking_mode = EXCLUSIVE;');
  // FULL: in WAL mode nothing less syncs at each commit.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  db.exec(SCHEMA);
  const parts = db.prepare('SELECT * FROM part ORDER BY number').all().map(partOf);
  const read = db.prepare('SELECT value FROM state WHERE name = ?');
  const put = db.prepare(
    'INSERT INTO state VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const insert = db.prepare('INSERT INTO part VALUES (?, ?, ?, ?, ?)');

  return {
    get parts() {
      return parts;
    },
    get next() {
      return parts.at(-1)?.past ?? first;
    },
    get<K extends keyof State>(name: K): State[K] | undefined {
      const text = naming(path, LOST, () => read.get(name)?.['value']);
      if (typeof text !== 'string') return undefined;
      // Written by `set`, by this program.
      const value: State[K] = JSON.parse(text);
      return value;
    },
    set: (name, value) => naming(path, LOST, () => void put.run(name, JSON.stringify(value))),
    add(part, memory) {
      naming(path, LOST, () => {
        db.exec('BEGIN IMMEDIATE');
        insert.run(part.number, part.first, part.past, part.rows, part.failed);
        put.run('memory', JSON.stringify(memory));
        db.exec('COMMIT');
      });
      parts.push(part);
    },
    close() {
      db.close();
      lock.close();
    },
  };
}

/** `restore`: what to do about a file that is damaged. */
function naming<T>(path: string, restore: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw faultOf(error, path, restore);
  }
}

function partOf(row: Record<string, unknown>): Part {
  const [number = 0, first = 0, past = 0, rows = 0, failed = 0] = [
    row['number'],
    row['first'],
    row['past'],
    row['rows'],
    row['failed'],
  ].map(Number);
  return { number, first, past, rows, failed };
}
