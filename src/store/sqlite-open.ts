import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '#lib/fault.ts';
import { faultOf, RESTORE } from '#lib/sqlite-fault.ts';
import { migrate, MIGRATIONS } from './migrations.ts';

/** How long to wait for another process, such as a backup, that has the database locked. */
const BUSY_TIMEOUT_MS = 5000;

/** What a database holds: how its schema came to be, and the table that is its truth. */
export interface Holding {
  readonly migrations: readonly string[];
  readonly checked: string;
}

/** Usage and events, which may be gigabytes, are not checked. */
const STATE: Holding = { migrations: MIGRATIONS, checked: 'record' };

/** Opens, checks and migrates a database. Readable by its owner only; `:memory:` is a database of its own. */
export function openDatabase(path: string, holding = STATE): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') createPrivately(path);
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    // FULL: in WAL mode nothing less syncs at each commit, and an acknowledged write must survive a power cut.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    migrate(db, path, holding.migrations);
    check(db, path, holding.checked);
    return db;
  } catch (error) {
    db?.close();
    throw faultOf(error, path);
  }
}

/** SQLite gives the files beside the database (log and index) the mode of the database. */
function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

function check(db: DatabaseSync, path: string, table: string): void {
  const found = db.prepare(`PRAGMA quick_check('${table}')`).get()?.['quick_check'];
  if (found === 'ok') return;
  throw new Fault('internal', `database ${path} is damaged: ${RESTORE} (${String(found)})`);
}
