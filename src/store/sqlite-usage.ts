import type { DatabaseSync } from 'node:sqlite';
import type { UsageRecord } from '#domain/records.ts';
import type { UsageLogQuery, UsageQuery } from './store.ts';

/** Long enough to learn the weeks of a quarter from; what is older says little about tomorrow. */
const KEPT_MINUTES = 90 * 24 * 60;

/** Traffic per revision and minute. `add` wants an open transaction. */
export function createUsage(db: DatabaseSync) {
  const upsert = db.prepare(
    `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       arrivals = arrivals + excluded.arrivals, cold_arrivals = cold_arrivals + excluded.cold_arrivals,
       busy_seconds = busy_seconds + excluded.busy_seconds,
       cold_seconds = cold_seconds + excluded.cold_seconds,
       memory_byte_seconds = memory_byte_seconds + excluded.memory_byte_seconds`,
  );
  const trim = db.prepare('DELETE FROM usage WHERE minute < ?');
  const select = db.prepare(
    `SELECT * FROM usage WHERE namespace = ? AND model = ? AND minute BETWEEN ? AND ?
       AND (?5 IS NULL OR revision = ?5) ORDER BY minute, revision`,
  );

  const page = db.prepare(
    `SELECT * FROM usage WHERE minute BETWEEN ?1 AND ?2 AND (?3 IS NULL OR namespace = ?3)
       AND (?4 IS NULL OR (minute, namespace, model, revision) > (?4, ?5, ?6, ?7))
       ORDER BY minute, namespace, model, revision LIMIT ?8`,
  );

  return {
    /** Trims by the index on the minute at each call: what goes is what one minute has brought. */
    add(rows: readonly UsageRecord[], now: number): void {
      for (const row of rows) {
        upsert.run(
          row.namespace,
          row.model,
          row.minute,
          row.revision,
          row.arrivals,
          row.coldArrivals,
          row.busySeconds,
          row.coldSeconds,
          row.memoryByteSeconds,
        );
      }
      trim.run(Math.floor(now / 60_000) - KEPT_MINUTES);
    },
    query({ namespace, model, revision, from, to }: UsageQuery): UsageRecord[] {
      return select.all(namespace, model, from, to, revision ?? null).map(usageOf);
    },
    log({ from, to, namespace, after, limit }: UsageLogQuery): UsageRecord[] {
      const past = [after?.minute, after?.namespace, after?.model, after?.revision];
      const start = Math.max(from, after?.minute ?? from);
      const cursor = past.map((part) => part ?? null);
      return page.all(start, to, namespace ?? null, ...cursor, limit).map(usageOf);
    },
  };
}

function usageOf(row: Record<string, unknown>): UsageRecord {
  return {
    namespace: String(row['namespace']),
    model: String(row['model']),
    revision: String(row['revision']),
    minute: Number(row['minute']),
    arrivals: Number(row['arrivals']),
    coldArrivals: Number(row['cold_arrivals']),
    busySeconds: Number(row['busy_seconds']),
    coldSeconds: Number(row['cold_seconds']),
    memoryByteSeconds: Number(row['memory_byte_seconds']),
  };
}
