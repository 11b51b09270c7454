import { DatabaseSync } from 'node:sqlite';
import { migrate } from '#store/migrations.ts';
import { STEPS } from './migration-steps.ts';

/** Migrates the database that it is given and is killed in the middle of the second step. */
const path = process.argv[2] ?? '';
const db = new DatabaseSync(path);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
db.function('crash', () => {
  process.kill(process.pid, 'SIGKILL');
  return null;
});
migrate(db, path, [STEPS[0], `${STEPS[1]}; SELECT crash()`]);
