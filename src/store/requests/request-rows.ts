import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type AsyncRequest, asyncRequest, type RequestState } from '#domain/async-request.ts';
import { modelKey, partsOfModelKey } from '#domain/names.ts';
import { PRIORITIES } from '#domain/priority.ts';
import { Fault } from '#lib/fault.ts';
import { createDueLanes } from './lanes.ts';
import type {
  NewRequest,
  Outcome,
  RequestCounts,
  RequestLimits,
  RequestQuery,
  Room,
  StoredAnswer,
  Taken,
} from './requests.ts';

/** Requests that one step ends or forgets: bounds how long the database is away from others. */
const STEP = 500;
const FULL_RETRY_S = 5;

type Row = Record<string, unknown>;

/** Requests, their content and answers. Methods that change something want an open transaction. */
export function createRequestRows(
  db: DatabaseSync,
  limits: RequestLimits,
  onEnded: (seq: number, request: AsyncRequest) => void,
) {
  const one = db.prepare('SELECT * FROM request WHERE id = ?');
  const same = db.prepare('SELECT * FROM request WHERE idempotency = ?');
  const insert = db.prepare(
    `INSERT INTO request (id, lane, caller, idempotency, digest, priority, method, target, host, webhook, state,
       attempts, created_at, begin_by, next_at, reason, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?, '', ?) RETURNING *`,
  );
  const putContent = db.prepare('INSERT INTO content VALUES (?, ?, ?)');
  const dropContent = db.prepare('DELETE FROM content WHERE seq = ?');
  const content = db.prepare('SELECT fields, body FROM content WHERE seq = ?');
  const putAnswer = db.prepare('INSERT INTO answer VALUES (?, ?, ?, ?)');
  const answerOf = db.prepare(
    'SELECT a.* FROM answer a JOIN request r ON r.seq = a.seq WHERE r.id = ?',
  );
  const turn = db.prepare(
    `SELECT seq, bytes FROM request WHERE state = 'waiting' AND lane = ? AND next_at <= ?
       ORDER BY priority, seq LIMIT ?`,
  );
  const begin = db.prepare(
    `UPDATE request SET state = 'running', attempts = attempts + 1, reason = '' WHERE seq = ? RETURNING *`,
  );
  const again = db.prepare(
    `UPDATE request SET state = 'waiting', next_at = ?, reason = ? WHERE seq = ? RETURNING *`,
  );
  const end = db.prepare(
    `UPDATE request SET state = ?, ended_at = ?, reason = ?, status = ?, bytes = ? WHERE seq = ? RETURNING *`,
  );
  const late = db.prepare(
    `SELECT seq FROM request WHERE state = 'waiting' AND begin_by <= ? ORDER BY begin_by LIMIT ${STEP}`,
  );
  const recover = db.prepare(
    `UPDATE request SET state = 'waiting', next_at = ?, reason = 'Rouse ended while it ran' WHERE state = 'running'`,
  );
  const newest = db.prepare(
    'SELECT max(max(created_at), coalesce(max(ended_at), 0)) AS at FROM request',
  );
  const moveBack = db.prepare(
    `UPDATE request SET created_at = created_at - ?1, begin_by = begin_by - ?1, next_at = next_at - ?1,
       ended_at = ended_at - ?1`,
  );
  const kept = db.prepare('SELECT value FROM counter WHERE name = ?');
  const states = db.prepare('SELECT state, count(*) AS count FROM request GROUP BY state');
  // Who is still to be told of it, or was not reached lately, may want the answer.
  const ended = `SELECT seq FROM request r WHERE ended_at < ?1 AND NOT EXISTS (
    SELECT 1 FROM delivery d WHERE d.seq = r.seq AND (d.ended_at IS NULL OR d.ended_at >= ?1))
    ORDER BY ended_at LIMIT ?2`;
  const forget = db.prepare(`DELETE FROM request WHERE seq IN (${ended})`);
  const forgetOf = db.prepare(
    `DELETE FROM request WHERE seq = (
       SELECT seq FROM request r WHERE caller = ? AND ended_at IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM delivery d WHERE d.seq = r.seq AND d.ended_at IS NULL)
       ORDER BY ended_at LIMIT 1)`,
  );
  const mostRequests = db.prepare('SELECT caller FROM holder ORDER BY requests DESC LIMIT 1');
  const mostBytes = db.prepare('SELECT caller FROM holder ORDER BY bytes DESC LIMIT 1');
  const lanes = createDueLanes(db, 'request');

  function finish(
    seq: number,
    state: RequestState,
    now: number,
    reason: string,
    answer?: StoredAnswer,
  ): AsyncRequest {
    dropContent.run(seq);
    const bytes = answer ? sizeOf(answer) : 0;
    if (answer) putAnswer.run(seq, answer.status, answer.fields, answer.body);
    const request = requestOf(end.get(state, now, reason, answer?.status ?? null, bytes, seq));
    onEnded(seq, request);
    return request;
  }

  /** Who has most of what is short; undefined: there is room. */
  function holderInTheWay(bytes: number): string | undefined {
    const isFull = Number(kept.get('requests')?.['value']) >= limits.requests;
    const isLarge = Number(kept.get('bytes')?.['value']) + bytes > limits.bytes;
    if (!isFull && !isLarge) return undefined;
    return String((isFull ? mostRequests : mostBytes).get()?.['caller']);
  }

  /** An answer of whoever has most goes, or one of the caller's own; never one of somebody else. */
  function makeRoom(caller: string, bytes: number): void {
    for (;;) {
      const holder = holderInTheWay(bytes);
      if (holder === undefined) return;
      if (forgetOf.run(holder).changes > 0 || forgetOf.run(caller).changes > 0) continue;
      throw new Fault(
        'queue_full',
        `as many asynchronous requests wait as may: ${limits.requests}, or ${limits.bytes} bytes`,
        { retryAfter: FULL_RETRY_S },
      );
    }
  }

  return {
    lanes,
    add(added: NewRequest): { request: AsyncRequest; repeated: boolean } {
      const { request, host, idempotencyKey } = added;
      const { namespace, model, webhook = null } = request;
      const lane = modelKey(namespace, model);
      const digest = digestOf(...partsOf(added));
      const name =
        idempotencyKey === undefined ? null : digestOf(request.caller, lane, idempotencyKey);
      const known = name && same.get(name);
      if (known) return repeat(known, request, digest);
      const bytes = sizeOf(added.content);
      makeRoom(request.caller, bytes);
      const [caller, { method, target, createdAt, beginBy }] = [request.caller, request];
      const priority = PRIORITIES.indexOf(request.priority);
      const what = [priority, method, target, host, webhook] as const;
      const times = [createdAt, beginBy, createdAt] as const;
      const row = insert.get(request.id, lane, caller, name, digest, ...what, ...times, bytes);
      putContent.run(seqOf(row), added.content.fields, added.content.body);
      return { request: requestOf(row), repeated: false };
    },
    get(id: string): AsyncRequest | undefined {
      const row = one.get(id);
      return row && requestOf(row);
    },
    answer(id: string): StoredAnswer | undefined {
      const row = answerOf.get(id);
      return row && { status: Number(row['status']), ...contentOf(row) };
    },
    list: ({ namespace, model, state, before, limit }: RequestQuery): AsyncRequest[] => {
      const lane = model === undefined ? null : modelKey(namespace, model);
      return createList(db)
        .all(`${namespace}/`, `${namespace}0`, lane, state ?? null, before ?? null, limit)
        .map(requestOf);
    },
    take: (lane: string, room: Room, now: number): Taken[] =>
      firstThatFit(turn.all(lane, now, room.count), room.bytes).map((waiting) => {
        const row = begin.get(seqOf(waiting));
        const stored = content.get(seqOf(waiting));
        if (!stored) throw new Fault('internal', `request ${String(row?.['id'])} has no content`);
        return {
          request: requestOf(row),
          host: String(row?.['host']),
          content: contentOf(stored),
        };
      }),
    settle(id: string, attempt: number, outcome: Outcome, now: number): AsyncRequest | undefined {
      const row = one.get(id);
      if (row?.['state'] !== 'running' || Number(row['attempts']) !== attempt) return undefined;
      const seq = seqOf(row);
      if (outcome.state === 'waiting') return requestOf(again.get(outcome.at, outcome.reason, seq));
      return finish(seq, outcome.state, now, outcome.reason, outcome.answer);
    },
    cancel(id: string, now: number): AsyncRequest | undefined {
      const row = one.get(id);
      if (!row || row['ended_at'] !== null) return undefined;
      return finish(seqOf(row), 'cancelled', now, 'cancelled by its caller');
    },
    expire: (now: number): string[] =>
      late
        .all(now)
        .map(
          (row) => finish(seqOf(row), 'expired', now, 'it did not begin before its deadline').id,
        ),
    counts(): RequestCounts {
      const count = { waiting: 0, running: 0, ended: 0 };
      for (const row of states.all()) {
        const state = String(row['state']);
        count[state === 'waiting' || state === 'running' ? state : 'ended'] += Number(row['count']);
      }
      return { ...count, bytes: Number(kept.get('bytes')?.['value']) };
    },
    newest: (): number => Number(newest.get()?.['at'] ?? 0),
    moveBack: (ms: number): void => void moveBack.run(ms),
    recover: (now: number): number => Number(recover.run(now).changes),
    forget: (now: number): number => Number(forget.run(now - limits.keepMs, STEP).changes),
  };
}

/** None overtakes one that is too large for now. */
function firstThatFit(rows: readonly Row[], bytes: number): readonly Row[] {
  let left = bytes;
  const past = rows.findIndex((row, index) => {
    left -= Number(row['bytes']);
    return left < 0 && index > 0;
  });
  return past < 0 ? rows : rows.slice(0, past);
}

/** Prepared when it is asked for: seldom, by people. */
function createList(db: DatabaseSync) {
  return db.prepare(
    `SELECT * FROM request WHERE lane >= ?1 AND lane < ?2 AND (?3 IS NULL OR lane = ?3)
       AND (?4 IS NULL OR state = ?4)
       AND (?5 IS NULL OR seq < (SELECT seq FROM request WHERE id = ?5)) ORDER BY seq DESC LIMIT ?6`,
  );
}

/**
 * What makes a request the same: what the model gets, and who is told. Not its other fields, such as those of a trace, and
 * not how urgent it is: who sends it again has less time left.
 */
function partsOf({ request, content }: NewRequest): (string | Uint8Array)[] {
  const { method, target, webhook = '' } = request;
  const about = content.fields
    .split('\r\n')
    .filter((line) => /^content-/i.test(line))
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()));
  return [method, target, webhook, about.join('\r\n'), content.body];
}

function repeat(
  known: Row,
  { method, target, webhook }: AsyncRequest,
  digest: Buffer,
): { request: AsyncRequest; repeated: boolean } {
  const stored = known['digest'];
  const request = requestOf(known);
  if (stored instanceof Uint8Array && digest.equals(stored)) return { request, repeated: true };
  const what =
    (request.method !== method && 'another method') ||
    (request.target !== target && 'another path') ||
    (request.webhook !== webhook && 'another Rouse-Webhook') ||
    'another body, or other Content- fields';
  throw new Fault(
    'invalid',
    `Idempotency-Key: the request that came with it before had ${what}; expected the same request, or a new key`,
  );
}

function requestOf(row: Row | undefined): AsyncRequest {
  if (!row) throw new Fault('internal', 'a request was not written');
  const { namespace, model } = partsOfModelKey(String(row['lane']));
  const optional = { endedAt: row['ended_at'], status: row['status'], webhook: row['webhook'] };
  return asyncRequest.parse({
    id: row['id'],
    namespace,
    model,
    caller: row['caller'],
    priority: PRIORITIES[Number(row['priority'])],
    method: row['method'],
    target: row['target'],
    state: row['state'],
    attempts: row['attempts'],
    createdAt: row['created_at'],
    beginBy: row['begin_by'],
    reason: row['reason'],
    ...(row['state'] === 'waiting' && { nextAt: row['next_at'] }),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
  });
}

function contentOf(row: Row): { fields: string; body: Uint8Array } {
  const body = row['body'];
  return {
    fields: String(row['fields']),
    body: body instanceof Uint8Array ? body : Buffer.alloc(0),
  };
}

function sizeOf({ fields, body }: { fields: string; body: Uint8Array }): number {
  return fields.length + body.length;
}

function seqOf(row: Row | undefined): number {
  return Number(row?.['seq']);
}

/** Of parts, each with its length, so that no two lists of parts have the same. */
function digestOf(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest();
}
