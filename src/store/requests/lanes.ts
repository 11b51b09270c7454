import type { DatabaseSync } from 'node:sqlite';

/** The lanes of a table that have something due, found by a step of its index for each lane, however much waits. */
export function createDueLanes(
  db: DatabaseSync,
  table: 'request' | 'delivery',
): (now: number) => string[] {
  const waiting = `FROM ${table} WHERE state = 'waiting'`;
  const due = db.prepare(
    `WITH RECURSIVE each (lane) AS (
       SELECT min(lane) ${waiting}
       UNION ALL
       SELECT (SELECT min(lane) ${waiting} AND lane > each.lane) FROM each WHERE lane IS NOT NULL
     )
     SELECT lane FROM each WHERE lane IS NOT NULL
       AND EXISTS (SELECT 1 ${waiting} AND ${table}.lane = each.lane AND next_at <= ?)`,
  );
  return (now) => due.all(now).map((row) => String(row['lane']));
}
