import type { DatabaseSync } from 'node:sqlite';
import type { Actor, EventRecord } from '#domain/records.ts';
import { checkEvent, encode } from './records.ts';
import type { EventQuery } from './store.ts';

/** What `rouse why` and the dashboard can look back on; at about 500 bytes each the log stays near 50 MB. */
export interface EventLimits {
  readonly perModel: number;
  readonly total: number;
}
const LIMITS: EventLimits = { perModel: 1000, total: 100_000 };

/** The event log. `append` wants an open transaction. */
export function createEvents(db: DatabaseSync, limits = LIMITS) {
  const insert = db.prepare(
    `INSERT INTO event (at, namespace, model, revision, type, why, actor, data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const trimModel = db.prepare(
    `DELETE FROM event WHERE namespace = ?1 AND model = ?2 AND id <= (
       SELECT id FROM event WHERE namespace = ?1 AND model = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)`,
  );
  const trimAll = db.prepare(
    'DELETE FROM event WHERE id <= (SELECT id FROM event ORDER BY id LIMIT 1 OFFSET ?)',
  );
  const add = db.prepare(
    "UPDATE counter SET value = value + ? WHERE name = 'events' RETURNING value",
  );

  function append(event: Omit<EventRecord, 'id'>): void {
    checkEvent(event);
    const { at, namespace, model, revision, type, why, actor, data } = event;
    const details = data === undefined ? null : encode(data, `data of event ${type}`);
    insert.run(at, namespace, model, revision ?? null, type, why, JSON.stringify(actor), details);
    const trimmed = Number(trimModel.run(namespace, model, limits.perModel).changes);
    const surplus = Number(add.get(1 - trimmed)?.['value']) - limits.total;
    if (surplus > 0) add.get(-Number(trimAll.run(surplus - 1).changes));
  }

  function query(wanted: EventQuery): EventRecord[] {
    const { conditions, values } = conditionsOf(wanted);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const order = wanted.newest === true ? 'DESC' : 'ASC';
    return db
      .prepare(`SELECT * FROM event ${where} ORDER BY id ${order} LIMIT ?`)
      .all(...values, wanted.limit)
      .map(eventOf);
  }

  return { append, query };
}

function conditionsOf(query: EventQuery): { conditions: string[]; values: (string | number)[] } {
  // Without a model the log is read in its own order; the plus keeps SQLite from sorting a whole namespace.
  const namespace = query.model === undefined ? '+namespace = ?' : 'namespace = ?';
  const all = [
    [namespace, query.namespace],
    ['model = ?', query.model],
    ['revision = ?', query.revision],
    ['type = ?', query.type],
    ['id > ?', query.after],
  ] as const;
  const given = all.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value }]));
  return { conditions: given.map(({ sql }) => sql), values: given.map(({ value }) => value) };
}

function eventOf(row: Record<string, unknown>): EventRecord {
  const { revision } = row;
  // Checked when it was written: see records.ts.
  const actor: Actor = JSON.parse(String(row['actor']));
  const data: EventRecord['data'] = JSON.parse(String(row['data']));
  return {
    id: Number(row['id']),
    at: Number(row['at']),
    namespace: String(row['namespace']),
    model: String(row['model']),
    ...(typeof revision === 'string' && { revision }),
    type: String(row['type']),
    why: String(row['why']),
    actor,
    ...(data && { data }),
  };
}
