import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#lib/fault.ts';

/**
 * The schema's history, oldest first. Forward only: an entry that was released is never changed, a new one
 * is added below. Entry n makes version n + 1.
 */
export const MIGRATIONS: readonly string[] = [
  `
  -- 'version' is the newest version given out; 'changesFrom' the newest version whose tombstone is gone;
  -- 'tombstones' and 'events' count rows, so that a cap is enforced without counting.
  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('version', 0), ('changesFrom', 0), ('tombstones', 0), ('events', 0);

  -- A row without a value is a tombstone: it tells readers of changes that the key was deleted.
  CREATE TABLE record (
    kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX record_version ON record (version);
  CREATE INDEX record_tombstone ON record (version) WHERE value IS NULL;

  CREATE TABLE lease (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, expires_at REAL NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- AUTOINCREMENT: an id is never given twice, even when the newest event was deleted.
  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, namespace TEXT NOT NULL, model TEXT NOT NULL,
    revision TEXT, type TEXT NOT NULL, why TEXT NOT NULL, actor TEXT NOT NULL, data TEXT
  ) STRICT;
  CREATE INDEX event_model ON event (namespace, model, id);

  CREATE TABLE usage (
    namespace TEXT NOT NULL, model TEXT NOT NULL, minute INTEGER NOT NULL, revision TEXT NOT NULL,
    arrivals INTEGER NOT NULL, cold_arrivals INTEGER NOT NULL, busy_seconds REAL NOT NULL,
    cold_seconds REAL NOT NULL, memory_byte_seconds REAL NOT NULL,
    PRIMARY KEY (namespace, model, minute, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_minute ON usage (minute);
  `,
  `
  -- One name of one revision ('': of the model as a whole), and the newest minute that it was measured in.
  CREATE TABLE measure_series (
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, model TEXT NOT NULL, revision TEXT NOT NULL,
    name TEXT NOT NULL, minute INTEGER NOT NULL, UNIQUE (namespace, model, revision, name)
  ) STRICT;
  CREATE INDEX measure_series_minute ON measure_series (minute);
  CREATE TABLE measure (
    series INTEGER NOT NULL REFERENCES measure_series ON DELETE CASCADE, minute INTEGER NOT NULL,
    count INTEGER NOT NULL, sum REAL NOT NULL, sum_squares REAL NOT NULL, low REAL NOT NULL,
    high REAL NOT NULL, points TEXT NOT NULL,
    PRIMARY KEY (series, minute)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX measure_minute ON measure (minute);
  -- What was counted and may come again, by a digest. 'measureIds' counts them.
  CREATE TABLE measure_id (id BLOB PRIMARY KEY, minute INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX measure_id_minute ON measure_id (minute);
  INSERT INTO counter VALUES ('measureIds', 0);
  `,
];

/** Brings the schema up to date. Each step and its number are one transaction: a crash leaves the step before. */
export function migrate(db: DatabaseSync, path: string, migrations = MIGRATIONS): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > migrations.length) {
    throw new Fault(
      'internal',
      `database ${path} has schema version ${version}, this Rouse knows up to ${migrations.length}: ` +
        'start the newer Rouse that wrote it, or use another state folder',
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(sql);
      db.exec(`PRAGMA user_version = ${index + 1}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
