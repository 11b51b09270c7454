import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { migrate, MIGRATIONS } from '#store/migrations.ts';
import { STEPS } from './migration-steps.ts';
import { stateFolder } from './state-folder.ts';

const versionOf = (db: DatabaseSync) => db.prepare('PRAGMA user_version').get()?.['user_version'];
const rowOf = (db: DatabaseSync) => ({ ...db.prepare('SELECT * FROM t').get() });

async function openDatabase() {
  const { folder, remove } = await stateFolder();
  onTestFinished(remove);
  const path = join(folder, 'rouse.db');
  return { path, open: () => new DatabaseSync(path) };
}

test('steps are done in order, each once', async () => {
  const { path, open } = await openDatabase();
  const db = open();
  migrate(db, path, STEPS.slice(0, 1));
  expect([versionOf(db), rowOf(db)]).toEqual([1, { a: 'precious' }]);
  migrate(db, path, STEPS);
  migrate(db, path, STEPS);
  expect([versionOf(db), rowOf(db)]).toEqual([2, { a: 'half done', b: 'new' }]);
  db.close();
});

test('a step that fails leaves the version before it', async () => {
  const { path, open } = await openDatabase();
  const db = open();
  expect(() => migrate(db, path, [...STEPS, 'CREATE TABLE u (a TEXT); nonsense'])).toThrow(
    /nonsense/,
  );
  expect(versionOf(db)).toBe(2);
  expect(db.prepare("SELECT * FROM sqlite_schema WHERE name = 'u'").all()).toEqual([]);
  expect(db.isTransaction).toBe(false);
  db.close();
});

test('a crash in the middle of a step leaves the version before it, and the next start completes it', async () => {
  const { path, open } = await openDatabase();
  const child = fork(join(import.meta.dirname, 'migration-child.ts'), [path]);
  expect((await once(child, 'exit'))[1]).toBe('SIGKILL');
  const db = open();
  expect([versionOf(db), rowOf(db)]).toEqual([1, { a: 'precious' }]);
  migrate(db, path, STEPS);
  expect([versionOf(db), rowOf(db)]).toEqual([2, { a: 'half done', b: 'new' }]);
  db.close();
});

test('the schema of today is made from nothing', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, ':memory:');
  expect(versionOf(db)).toBe(MIGRATIONS.length);
  db.close();
});
