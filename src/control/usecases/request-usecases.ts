import type { AsyncRequest, Delivery } from '#domain/async-request.ts';
import type { Actor } from '#domain/records.ts';
import { MAX_PAGE } from '#domain/page.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { AsyncRequests } from '../requests/async-requests.ts';
import { explainNoAnswer } from '../requests/desk.ts';
import { makeWebhookSecret } from '../requests/signature.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';

type RequestUseCases = Pick<
  UseCases,
  | 'listRequests'
  | 'getRequest'
  | 'getRequestAnswer'
  | 'cancelRequest'
  | 'listDeliveries'
  | 'replayDelivery'
  | 'webhookSecret'
>;

/** Who made a request may read its answer and cancel it; so may an admin. States are for all who may read. */
export function createRequestUseCases(options: {
  /** Undefined: there are none on this platform. */
  requests: AsyncRequests | undefined;
  clock: Clock;
}): RequestUseCases {
  const { clock } = options;

  function required(): AsyncRequests {
    if (options.requests) return options.requests;
    throw new Fault('not_implemented', 'there are no asynchronous requests on this platform');
  }

  async function find(namespace: string, id: string): Promise<AsyncRequest> {
    const request = await required().store.requests.get(id);
    if (request?.namespace === namespace) return request;
    throw new Fault('not_found', `there is no request ${id} in namespace ${namespace}`);
  }

  async function findOwn(actor: Actor, namespace: string, id: string): Promise<AsyncRequest> {
    requireRole(actor, 'invoke');
    const request = await find(namespace, id);
    if (actor.role === 'admin' || actor.id === request.caller) return request;
    throw new Fault('forbidden', `request ${id} is not one of ${actor.id}: this needs admin`);
  }

  return {
    async listRequests(actor, query) {
      requireRole(actor, 'read');
      return await required().store.requests.list(limited(query));
    },
    async getRequest(actor, namespace, id) {
      requireRole(actor, 'read');
      return await find(namespace, id);
    },
    async getRequestAnswer(actor, namespace, id) {
      const request = await findOwn(actor, namespace, id);
      const answer = await required().store.requests.answer(id);
      if (!answer) throw new Fault('conflict', explainNoAnswer(request));
      return answer;
    },
    async cancelRequest(actor, namespace, id) {
      await findOwn(actor, namespace, id);
      await required().cancel(id);
      return await find(namespace, id);
    },
    async listDeliveries(actor, query) {
      requireRole(actor, 'read');
      return await required().store.deliveries.list(limited(query));
    },
    async replayDelivery(actor, namespace, id): Promise<Delivery> {
      requireRole(actor, 'deploy');
      const requests = required();
      await find(namespace, id.replace(/^msg_/, 'rq_'));
      const replayed = await requests.store.deliveries.replay(id, clock.now());
      if (!replayed)
        throw new Fault('conflict', `delivery ${id} is not dead: there is nothing to replay`);
      requests.askDeliveries();
      return replayed;
    },
    async webhookSecret(actor, namespace) {
      requireRole(actor, 'deploy');
      return makeWebhookSecret(required().platformSecret, namespace);
    },
  };
}

function limited<T extends { readonly limit: number }>(query: T): T {
  return { ...query, limit: Math.min(query.limit, MAX_PAGE) };
}
