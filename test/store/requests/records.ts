import { randomBytes } from 'node:crypto';
import type { AsyncRequest } from '#domain/async-request.ts';
import type { NewRequest, Room } from '#store/requests/requests.ts';

export const NOW = Date.UTC(2030, 0, 1);

function makeRequestId(): string {
  return `rq_${randomBytes(20).toString('hex')}`;
}

/** Room for so many, however large they are. */
export function upTo(count: number): Room {
  return { count, bytes: Infinity };
}

/** A request as it is handed to a store. */
export function makeNewRequest(
  change: Partial<AsyncRequest> = {},
  { body = 'in', idempotencyKey }: { body?: string; idempotencyKey?: string } = {},
): NewRequest {
  return {
    request: {
      id: makeRequestId(),
      namespace: 'default',
      model: 'digits',
      caller: 'key:abcdefgh',
      priority: 'low',
      method: 'POST',
      target: '/v2/models/digits/infer',
      state: 'waiting',
      attempts: 0,
      createdAt: NOW,
      beginBy: NOW + 3_600_000,
      nextAt: NOW,
      reason: '',
      ...change,
    },
    host: 'localhost',
    content: { fields: 'Content-Type: text/plain\r\n', body: Buffer.from(body) },
    idempotencyKey,
  };
}
