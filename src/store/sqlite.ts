import type { Clock } from '#lib/clock.ts';
import type { Store } from './store.ts';
import { createAccess } from './sqlite-access.ts';
import { createEvents } from './sqlite-events.ts';
import { createLeases } from './sqlite-leases.ts';
import { createMeasures } from './sqlite-measures.ts';
import { openDatabase } from './sqlite-open.ts';
import { createRecords } from './sqlite-records.ts';
import { createUsage } from './sqlite-usage.ts';

/**
 * The store of one machine, in one file. SQLite's calls are synchronous and a commit waits for the disk, so
 * it belongs into a worker thread. All writes go through one batch (`sqlite-batch.ts`); reads see what has
 * been committed.
 */
export async function createSqliteStore(options: {
  /** A file, or `:memory:`. */
  path: string;
  clock: Clock;
}): Promise<Store> {
  const { path, clock } = options;
  const db = openDatabase(path);
  const { read, change, close } = createAccess(db, path);
  const records = createRecords(db);
  const leases = createLeases(db);
  const events = createEvents(db);
  const usage = createUsage(db);
  const measures = createMeasures(db);
  return {
    get: async (kind, key) => read(() => records.get(kind, key)),
    list: async (kind, page = {}) => read(() => records.list(kind, page)),
    write: (writes, { fence, events: happened = [] } = {}) =>
      change(() => {
        if (fence) leases.checkFence(fence);
        const versions = writes.map(records.write);
        happened.forEach(events.append);
        return versions;
      }),
    changes: async (version, limit) => read(() => records.changes(version, limit)),
    lease: (name, holder, ttlMs) => change(() => leases.lease(name, holder, ttlMs, clock.now())),
    events: async (query) => read(() => events.query(query)),
    addUsage: (rows) => change(() => usage.add(rows, clock.now())),
    usage: async (query) => read(() => usage.query(query)),
    usageLog: async (query) => read(() => usage.log(query)),
    addMeasures: (rows) => change(() => measures.add(rows, clock.now())),
    measures: async (query) => read(() => measures.query(query)),
    close: async () => close(),
  };
}
