import type { DatabaseSync } from 'node:sqlite';
import { faultOf } from '#lib/sqlite-fault.ts';

/** Writes that share one commit at most: bounds how long the thread is away and what one failure takes along. */
const BATCH_LIMIT = 1000;

interface Waiting {
  /** Does the work; what it returns is called once the work is durable. */
  readonly work: () => () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: units of work that are asked for while a commit is on its way share the next one, so that
 * many writers pay for one sync of the disk. Invariants:
 * 1. A unit is all or nothing, and its promise resolves only after the commit that holds it.
 * 2. A unit that is refused does not disturb the others of its batch.
 * 3. Units run in the order in which they were asked for, and no transaction is open between batches.
 */
export function createBatch(db: DatabaseSync, path: string) {
  const waiting: Waiting[] = [];
  let scheduled: NodeJS.Immediate | undefined;

  function runUnit(unit: Waiting): () => void {
    db.exec('SAVEPOINT unit');
    try {
      const settle = unit.work();
      db.exec('RELEASE unit');
      return settle;
    } catch (error) {
      // SQLite has given up the whole transaction, as it does when the disk is full.
      if (!db.isTransaction) throw error;
      db.exec('ROLLBACK TO unit; RELEASE unit');
      return () => unit.reject(faultOf(error, path));
    }
  }

  function commit(units: readonly Waiting[]): void {
    try {
      db.exec('BEGIN IMMEDIATE');
      const settles = units.map(runUnit);
      db.exec('COMMIT');
      for (const settle of settles) settle();
    } catch (error) {
      if (db.isOpen && db.isTransaction) db.exec('ROLLBACK');
      const fault = faultOf(error, path);
      for (const unit of units) unit.reject(fault);
    }
  }

  function flush(): void {
    scheduled = undefined;
    while (waiting.length > 0) commit(waiting.splice(0, BATCH_LIMIT));
  }

  return {
    run<T>(work: () => T): Promise<T> {
      return new Promise((resolve, reject) => {
        waiting.push({
          work: () => {
            const result = work();
            return () => resolve(result);
          },
          reject,
        });
        scheduled ??= setImmediate(flush);
      });
    },
    /** Commits what waits. */
    close(): void {
      clearImmediate(scheduled);
      flush();
    },
  };
}
