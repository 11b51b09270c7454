import { z } from 'zod';
import { delivery, DELIVERY_STATES, REQUEST_STATES, requestId } from '#domain/async-request.ts';
import { modelName, namespaceName } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { nextOf, pageLimit } from '../paging.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { deliveryBody } from '../schemas.ts';

const NAMESPACE = '/api/v1/namespaces/{namespace}';

const inNamespace = z.strictObject({ namespace: namespaceName });
const ofRequest = z.strictObject({ namespace: namespaceName, id: requestId });
const ofDelivery = z.strictObject({ namespace: namespaceName, id: delivery.shape.id });
const requestPage = z.strictObject({
  model: modelName.optional(),
  state: z.enum(REQUEST_STATES).optional(),
  after: requestId.optional().meta({ description: '`next` of the page before.' }),
  limit: pageLimit,
});
const deliveryPage = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional(),
  after: delivery.shape.id.optional().meta({ description: '`next` of the page before.' }),
  limit: pageLimit,
});

const ANSWER = {
  description: "The model's answer, with its status; 409 without any.",
  content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
} as const;

export function makeRequestRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${NAMESPACE}/requests`,
      summary: 'Asynchronous requests, newest first',
      tag: 'requests',
      params: inNamespace,
      query: requestPage,
      responses: { 200: jsonResponse('Those that are kept.', 'AsyncRequestPage') },
      async handle({ context, actor, params, query: { after: before, ...query } }) {
        const items = await useCases.listRequests(actor, { ...params, ...query, before });
        return context.json(makePage(items, query.limit));
      },
    }),
    defineRoute({
      method: 'get',
      path: `${NAMESPACE}/requests/{id}`,
      summary: 'What became of an asynchronous request',
      tag: 'requests',
      params: ofRequest,
      query: NONE,
      responses: { 200: jsonResponse('Its answer is beside it.', 'AsyncRequest') },
      handle: async ({ context, actor, params }) =>
        context.json(await useCases.getRequest(actor, params.namespace, params.id)),
    }),
    defineRoute({
      method: 'get',
      path: `${NAMESPACE}/requests/{id}/answer`,
      summary: 'The answer to an asynchronous request, for who made it',
      tag: 'requests',
      params: ofRequest,
      query: NONE,
      responses: { 200: ANSWER },
      async handle({ context, actor, params }) {
        const found = await useCases.getRequestAnswer(actor, params.namespace, params.id);
        const { status, fields, body } = found;
        const type = /^content-type:[ \t]*([^\r\n]*)\r\n/im.exec(fields)?.[1];
        // What a model says is shown as text by no browser, and never run.
        const headers = {
          'content-type': type ?? 'application/octet-stream',
          'content-disposition': 'attachment',
          'rouse-status': String(status),
        };
        return context.body(Buffer.from(body), 200, headers);
      },
    }),
    defineRoute({
      method: 'delete',
      path: `${NAMESPACE}/requests/{id}`,
      summary: 'Cancels an asynchronous request that has not ended',
      tag: 'requests',
      params: ofRequest,
      query: NONE,
      responses: { 200: jsonResponse('As it is now.', 'AsyncRequest') },
      handle: async ({ context, actor, params }) =>
        context.json(await useCases.cancelRequest(actor, params.namespace, params.id)),
    }),
    ...makeDeliveryRoutes(useCases),
  ];
}

function makeDeliveryRoutes(useCases: ApiOptions['useCases']): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${NAMESPACE}/deliveries`,
      summary: 'Webhooks of asynchronous requests; those given up are dead',
      tag: 'requests',
      params: inNamespace,
      query: deliveryPage,
      responses: { 200: jsonResponse('In the order of ids.', 'DeliveryPage') },
      async handle({ context, actor, params, query }) {
        const items = await useCases.listDeliveries(actor, { ...params, ...query });
        return context.json(makePage(items, query.limit));
      },
    }),
    defineRoute({
      method: 'post',
      path: `${NAMESPACE}/deliveries/{id}`,
      summary: 'Sends a webhook again that was given up',
      tag: 'requests',
      params: ofDelivery,
      query: NONE,
      body: { schema: 'DeliveryRequest', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 202: jsonResponse('It is due, with the same id.', 'Delivery') },
      async handle({ context, actor, params }) {
        parseDocument(deliveryBody, await readDocument(context), 'delivery');
        return context.json(await useCases.replayDelivery(actor, params.namespace, params.id), 202);
      },
    }),
    defineRoute({
      method: 'get',
      path: `${NAMESPACE}/webhook-secret`,
      summary: 'What webhooks of a namespace are signed with, as Standard Webhooks has it',
      tag: 'requests',
      params: inNamespace,
      query: NONE,
      responses: { 200: jsonResponse('For receivers, and nobody else.', 'WebhookSecret') },
      handle: async ({ context, actor, params }) =>
        context.json({ secret: await useCases.webhookSecret(actor, params.namespace) }, 200, {
          'cache-control': 'no-store',
        }),
    }),
  ];
}

function makePage<T extends { readonly id: string }>(items: readonly T[], limit: number) {
  return { items, ...nextOf(items, limit, ({ id }) => id) };
}
