import { Fault } from '#lib/fault.ts';
import { createBatch } from '../sqlite-batch.ts';
import { faultOf } from '../sqlite-fault.ts';
import { openDatabase } from '../sqlite-open.ts';
import { createDeliveryRows } from './delivery-rows.ts';
import { createRequestRows } from './request-rows.ts';
import type { RequestLimits, Requests } from './requests.ts';
import { REQUEST_MIGRATIONS } from './schema.ts';

const HOLDING = { migrations: REQUEST_MIGRATIONS, checked: 'request' };

/**
 * Asynchronous requests of one machine, in a file of their own: bodies come and go by the gigabyte, and the state of the
 * platform stays small. As in the store, what is asked for while a commit is on its way shares the next one.
 */
export async function createSqliteRequests(options: {
  /** A file, or `:memory:`. */
  path: string;
  limits: RequestLimits;
}): Promise<Requests> {
  const { path, limits } = options;
  const db = openDatabase(path, HOLDING);
  const batch = createBatch(db, path);
  const deliveries = createDeliveryRows(db);
  const requests = createRequestRows(db, limits, (seq, request) =>
    deliveries.add(seq, request, request.endedAt ?? 0),
  );
  let closed = false;

  function checkOpen(): void {
    if (closed) throw new Fault('unavailable', 'the store of requests is closed');
  }

  async function read<T>(work: () => T): Promise<T> {
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

  return {
    requests: {
      lanes: (now) => read(() => requests.lanes(now)),
      take: (lane, count, now) => change(() => requests.take(lane, count, now)),
      add: (added) => change(() => requests.add(added)),
      get: (id) => read(() => requests.get(id)),
      answer: (id) => read(() => requests.answer(id)),
      list: (query) => read(() => requests.list(query)),
      settle: (id, attempt, outcome, now) =>
        change(() => requests.settle(id, attempt, outcome, now)),
      cancel: (id, now) => change(() => requests.cancel(id, now)),
      expire: (now) => change(() => requests.expire(now)),
      counts: () => read(() => requests.counts()),
    },
    deliveries: {
      lanes: (now) => read(() => deliveries.lanes(now)),
      take: (lane, count, now) => change(() => deliveries.take(lane, count, now)),
      settle: (id, attempt, outcome) => change(() => deliveries.settle(id, attempt, outcome)),
      replay: (id, now) => change(() => deliveries.replay(id, now)),
      list: (query) => read(() => deliveries.list(query)),
      counts: () => read(() => deliveries.counts()),
    },
    recover: (now) =>
      change(() => ({ requests: requests.recover(now), deliveries: deliveries.recover(now) })),
    forget: (now) => change(() => requests.forget(now)),
    async close() {
      if (closed) return;
      closed = true;
      batch.close();
      db.close();
    },
  };
}
