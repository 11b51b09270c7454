import type { Hono } from 'hono';
import type { Actor } from '#domain/records.ts';
import type { ApiEnv } from './context.ts';

/** A `fetch` that speaks to the API in this process, for `actor`, without a socket or a key. */
export function createLocalFetch(api: Hono<ApiEnv>, actor: Actor): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    return await api.fetch(request, { localActor: actor });
  };
}
