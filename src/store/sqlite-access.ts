import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '#lib/fault.ts';
import { createBatch } from './sqlite-batch.ts';
import { faultOf } from '#lib/sqlite-fault.ts';

/**
 * The way to a database until it is closed: reads at once, all that writes by one batch. What SQLite throws is told as a
 * Fault that names the database.
 */
export function createAccess(db: DatabaseSync, path: string) {
  const batch = createBatch(db, path);
  let closed = false;

  function checkOpen(): void {
    if (closed) throw new Fault('unavailable', 'the store is closed');
  }

  function read<T>(work: () => T): T {
    checkOpen();
    try {
      return work();
    } catch (error) {
      throw faultOf(error, path);
    }
  }

  async function change<T>(work: () => T): Promise<T> {
    checkOpen();
    return await batch.run(work);
  }

  function close(): void {
    if (closed) return;
    closed = true;
    batch.close();
    db.close();
  }

  return { read, change, close };
}
