import { createAccess } from '../sqlite-access.ts';
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
  const { read, change, close } = createAccess(db, path);
  const deliveries = createDeliveryRows(db);
  const requests = createRequestRows(db, limits, (seq, request) =>
    deliveries.add(seq, request, request.endedAt ?? 0),
  );
  return {
    requests: {
      lanes: async (now) => read(() => requests.lanes(now)),
      take: (lane, room, now) => change(() => requests.take(lane, room, now)),
      add: (added) => change(() => requests.add(added)),
      get: async (id) => read(() => requests.get(id)),
      answer: async (id) => read(() => requests.answer(id)),
      list: async (query) => read(() => requests.list(query)),
      settle: (id, attempt, outcome, now) =>
        change(() => requests.settle(id, attempt, outcome, now)),
      cancel: (id, now) => change(() => requests.cancel(id, now)),
      expire: (now) => change(() => requests.expire(now)),
      counts: async () => read(() => requests.counts()),
    },
    deliveries: {
      lanes: async (now) => read(() => deliveries.lanes(now)),
      take: (lane, room, now) => change(() => deliveries.take(lane, room, now)),
      settle: (id, attempt, outcome) => change(() => deliveries.settle(id, attempt, outcome)),
      replay: (id, now) => change(() => deliveries.replay(id, now)),
      list: async (query) => read(() => deliveries.list(query)),
      counts: async () => read(() => deliveries.counts()),
    },
    recover: (now) =>
      change(() => {
        const ahead = Math.max(requests.newest(), deliveries.newest()) - now;
        if (ahead > 0) for (const rows of [requests, deliveries]) rows.moveBack(ahead);
        return { requests: requests.recover(now), deliveries: deliveries.recover(now) };
      }),
    forget: (now) => change(() => requests.forget(now)),
    close: async () => close(),
  };
}
