import type { DatabaseSync } from 'node:sqlite';
import {
  type AsyncRequest,
  delivery,
  type Delivery,
  deliveryId,
  type DeliveryState,
} from '#domain/async-request.ts';
import { createDueLanes } from './lanes.ts';
import type { DeliveryQueue, Room } from './requests.ts';

type Row = Record<string, unknown>;
type Settled = Parameters<DeliveryQueue['settle']>[2];

/** Who is to be told of which end. Methods that change something want an open transaction. */
export function createDeliveryRows(db: DatabaseSync) {
  const insert = db.prepare(
    `INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, NULL, '')`,
  );
  const one = db.prepare('SELECT * FROM delivery WHERE id = ?');
  const turn = db.prepare(
    `SELECT id FROM delivery WHERE state = 'waiting' AND lane = ? AND next_at <= ? ORDER BY next_at LIMIT ?`,
  );
  const begin = db.prepare(
    `UPDATE delivery SET state = 'sending', attempts = attempts + 1 WHERE id = ? RETURNING *`,
  );
  const settle = db.prepare(
    'UPDATE delivery SET state = ?, next_at = ?, ended_at = ?, reason = ? WHERE id = ? RETURNING *',
  );
  const replay = db.prepare(
    `UPDATE delivery SET state = 'waiting', next_at = ?, created_at = ?, ended_at = NULL
       WHERE id = ? AND state = 'dead' RETURNING *`,
  );
  const recover = db.prepare(
    `UPDATE delivery SET state = 'waiting', next_at = ?, reason = 'Rouse ended while it was sent'
       WHERE state = 'sending'`,
  );
  const newest = db.prepare(
    'SELECT max(max(created_at), coalesce(max(ended_at), 0)) AS at FROM delivery',
  );
  const moveBack = db.prepare(
    'UPDATE delivery SET created_at = created_at - ?1, next_at = next_at - ?1, ended_at = ended_at - ?1',
  );
  const page = db.prepare(
    `SELECT * FROM delivery WHERE namespace = ?1 AND (?2 IS NULL OR state = ?2) AND id > ?3 ORDER BY id LIMIT ?4`,
  );
  const states = db.prepare('SELECT state, count(*) AS count FROM delivery GROUP BY state');

  return {
    lanes: createDueLanes(db, 'delivery'),
    add(seq: number, { id, namespace, webhook }: AsyncRequest, now: number): void {
      if (webhook === undefined) return;
      const lane = new URL(webhook).origin;
      insert.run(deliveryId(id), seq, id, namespace, lane, webhook, now, now);
    },
    take: (lane: string, { count }: Room, now: number): Delivery[] =>
      turn.all(lane, now, count).map(({ id }) => deliveryOf(begin.get(String(id)) ?? {})),
    settle(id: string, attempt: number, { state, at, reason }: Settled): Delivery | undefined {
      const row = one.get(id);
      if (row?.['state'] !== 'sending' || Number(row['attempts']) !== attempt) return undefined;
      return deliveryOf(settle.get(state, at, state === 'waiting' ? null : at, reason, id) ?? {});
    },
    replay(id: string, now: number): Delivery | undefined {
      const row = replay.get(now, now, id);
      return row && deliveryOf(row);
    },
    list: ({ namespace, state, after, limit }: Parameters<DeliveryQueue['list']>[0]): Delivery[] =>
      page.all(namespace, state ?? null, after ?? '', limit).map(deliveryOf),
    counts(): Record<DeliveryState, number> {
      const counts = { waiting: 0, sending: 0, delivered: 0, dead: 0 };
      for (const row of states.all()) {
        counts[delivery.shape.state.parse(row['state'])] = Number(row['count']);
      }
      return counts;
    },
    newest: (): number => Number(newest.get()?.['at'] ?? 0),
    moveBack: (ms: number): void => void moveBack.run(ms),
    recover: (now: number): number => Number(recover.run(now).changes),
  };
}

function deliveryOf(row: Row): Delivery {
  const { id, request, namespace, url, state, attempts, reason } = row;
  return delivery.parse({
    id,
    request,
    namespace,
    url,
    state,
    attempts,
    reason,
    createdAt: row['created_at'],
    ...(state === 'waiting' && { nextAt: row['next_at'] }),
    ...(row['ended_at'] !== null && { endedAt: row['ended_at'] }),
  });
}
