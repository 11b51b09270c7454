import { z } from 'zod';
import type { UseCases } from '#control/usecases/usecases.ts';
import { modelName, namespaceName, revisionName } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiContext, ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { createEventStream } from '../stream.ts';
import { MODEL_PATH, ofModel } from './models.ts';

/** Events of one answer. */
const MAX_EVENTS = 1000;

const eventId = z.coerce.number().int().min(0);
const ofOneModel = z.strictObject({
  revision: revisionName.optional(),
  type: z.string().max(64).optional(),
  after: eventId.optional().meta({ description: 'Only events with a greater id.' }),
  newest: z.enum(['true', 'false']).optional().meta({ description: 'Newest first.' }),
  limit: z.coerce.number().int().min(1).max(MAX_EVENTS).default(100),
});
const ofAll = ofOneModel.extend({
  namespace: namespaceName.optional(),
  model: modelName.optional(),
});
const resume = z.object({ 'last-event-id': eventId.optional() });

const responses = {
  200: {
    description: 'Events; with Accept: text/event-stream those to come, resumed by Last-Event-ID.',
    content: {
      ...jsonResponse('', 'EventPage').content,
      'text/event-stream': { schema: { type: 'string' } },
    },
  },
} as const;

type Query = Partial<z.output<typeof ofAll>> & { limit: number };

export function makeEventRoutes(options: ApiOptions): Route[] {
  const { useCases } = options;

  async function answer(context: ApiContext, actor: Actor, query: Query): Promise<Response> {
    const streamed = (context.req.header('accept') ?? '').includes('text/event-stream');
    return streamed
      ? await stream(context, actor, query)
      : context.json(await listEvents(useCases, actor, query));
  }

  async function stream(context: ApiContext, actor: Actor, query: Query): Promise<Response> {
    const { newest: _newest, limit: _limit, after: _after, ...wanted } = query;
    // This read also refuses who may not read, while the status can still say so.
    const [last] = await useCases.events(actor, { newest: true, limit: 1 });
    const body = createEventStream({
      after: lastEventId(context) ?? query.after ?? last?.id ?? 0,
      clock: options.clock,
      closing: options.closing,
      source: {
        read: (after, limit) => useCases.events(actor, { ...wanted, after, limit }),
        watch: (onNews, signal) => useCases.watchEvents(actor, wanted, onNews, signal),
      },
    });
    return context.body(body, 200, { 'content-type': 'text/event-stream' });
  }

  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/events',
      summary: 'What happened, and why',
      tag: 'events',
      params: NONE,
      query: ofAll,
      headers: resume,
      responses,
      handle: ({ context, actor, query }) => answer(context, actor, query),
    }),
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/events`,
      summary: 'What happened to a model, and why',
      tag: 'events',
      params: ofModel,
      query: ofOneModel,
      headers: resume,
      responses,
      async handle({ context, actor, params, query }) {
        await useCases.getModel(actor, params.namespace, params.model);
        return await answer(context, actor, { ...query, ...params });
      },
    }),
  ];
}

async function listEvents(useCases: UseCases, actor: Actor, query: Query) {
  const newest = query.newest === 'true';
  const items = await useCases.events(actor, { ...query, newest });
  const more = !newest && items.length === query.limit;
  return { items, ...(more && { next: String(items.at(-1)?.id) }) };
}

function lastEventId(context: ApiContext): number | undefined {
  const text = context.req.header('last-event-id');
  if (text === undefined) return undefined;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new Fault('bad_request', `Last-Event-ID ${text.slice(0, 40)}: expected the id of an event`);
}
