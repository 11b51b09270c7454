import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#lib/fault.ts';
import { encodeWrite, kindOf } from './records.ts';
import type { Change, Kind, Records, Stored, Write } from './store.ts';

/**
 * Tombstones that are kept. A reader that was away for longer than so many deletions reads everything anew;
 * at about 100 bytes each they stay below 10 MB.
 */
const TOMBSTONE_LIMIT = 100_000;

/** U+10FFFF sorts after every other character in the order of bytes that SQLite compares by. */
const LAST = '\u{10ffff}';

/** Records, their versions and tombstones. All writing methods want an open transaction. */
export function createRecords(db: DatabaseSync, tombstoneLimit = TOMBSTONE_LIMIT) {
  const one = db.prepare('SELECT version, value FROM record WHERE kind = ? AND key = ?');
  const page = db.prepare(
    `SELECT key, version, value FROM record
     WHERE kind = ? AND key > ? AND key >= ? AND key < ? AND value IS NOT NULL ORDER BY key LIMIT ?`,
  );
  const since = db.prepare(
    `SELECT version, kind, key, value IS NULL AS deleted FROM record
     WHERE version > ? ORDER BY version LIMIT ?`,
  );
  const put = db.prepare(
    `INSERT INTO record (kind, key, version, value) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET version = excluded.version, value = excluded.value`,
  );
  const count = db.prepare('SELECT value FROM counter WHERE name = ?');
  const add = db.prepare('UPDATE counter SET value = value + ? WHERE name = ? RETURNING value');
  const forgetFrom = db.prepare(
    `UPDATE counter SET value = (
       SELECT version FROM record WHERE value IS NULL ORDER BY version LIMIT 1 OFFSET ?
     ) WHERE name = 'changesFrom' RETURNING value`,
  );
  const forget = db.prepare('DELETE FROM record WHERE value IS NULL AND version <= ?');

  function write(entry: Write): number {
    const value = encodeWrite(entry);
    const before = one.get(entry.kind, entry.key);
    const exists = before !== undefined && before['value'] !== null;
    checkVersion(entry, exists ? Number(before['version']) : 0);
    const version = Number(add.get(1, 'version')?.['value']);
    if (value === undefined && !exists) return version;
    put.run(entry.kind, entry.key, version, value ?? null);
    if (value === undefined) bury();
    else if (before !== undefined && !exists) add.get(-1, 'tombstones');
    return version;
  }

  function bury(): void {
    const tombstones = Number(add.get(1, 'tombstones')?.['value']);
    const surplus = tombstones - tombstoneLimit;
    if (surplus <= 0) return;
    const upTo = Number(forgetFrom.get(surplus - 1)?.['value']);
    add.get(-Number(forget.run(upTo).changes), 'tombstones');
  }

  return {
    get<K extends Kind>(kind: K, key: string): Stored<K> | undefined {
      const row = one.get(kind, key);
      if (row === undefined || row['value'] === null) return undefined;
      return stored(kind, { key, version: row['version'], value: row['value'] });
    },
    list<K extends Kind>(
      kind: K,
      { prefix = '', after = '', limit = -1 }: { prefix?: string; after?: string; limit?: number },
    ): Stored<K>[] {
      return page.all(kind, after, prefix, prefix + LAST, limit).map((row) => stored<K>(kind, row));
    },
    write,
    changes(version: number, limit = -1): Change[] {
      const from = Number(count.get('changesFrom')?.['value']);
      if (version > 0 && version < from) {
        throw new Fault(
          'precondition_failed',
          `changes since version ${version} are not kept any more, only since ${from}: start again from 0`,
        );
      }
      return since.all(version, limit).map((row) => ({
        version: Number(row['version']),
        kind: kindOf(row['kind']),
        key: String(row['key']),
        deleted: row['deleted'] === 1,
      }));
    },
  };
}

function stored<K extends Kind>(kind: K, row: Record<string, unknown>): Stored<K> {
  // Checked when it was written: see records.ts.
  const value: Records[K] = JSON.parse(String(row['value']));
  return { kind, key: String(row['key']), version: Number(row['version']), value };
}

function checkVersion({ kind, key, expected }: Write, found: number): void {
  if (expected === undefined || expected === found) return;
  const what = `${kind} ${key}`;
  if (expected === 0) {
    throw new Fault('precondition_failed', `${what} exists already, at version ${found}`);
  }
  throw new Fault(
    'precondition_failed',
    found === 0
      ? `${what} does not exist, but version ${expected} of it was expected`
      : `${what} is at version ${found}, not ${expected}: read it again`,
  );
}
