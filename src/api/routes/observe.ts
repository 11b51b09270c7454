import { z } from 'zod';
import { namespaceName, partsOfRevisionKey, revisionKey, revisionName } from '#domain/names.ts';
import type { UsageRecord } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { DAY_MINUTES, minute, spanOf } from '../minutes.ts';
import { nextOf } from '../paging.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { MODEL_PATH, ofModel } from './models.ts';

const MAX_LINES = 1000;
const MAX_ROWS = 10_000;
/** A month of minutes of one revision is 4 MB of JSON. */
const MAX_MINUTES = 31 * DAY_MINUTES;

export const lines = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_LINES).default(200),
  after: z.coerce
    .number()
    .min(0)
    .default(0)
    .meta({ description: 'Only lines not before this time.' }),
});
const minutes = z.strictObject({ revision: revisionName.optional(), from: minute, to: minute });

const ofAll = z.strictObject({
  namespace: namespaceName.optional(),
  from: minute,
  to: minute,
  after: z.string().max(300).optional().meta({ description: '`next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(MAX_ROWS).default(1000),
});

export function makeObserveRoutes({ useCases, clock }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/logs`,
      summary: 'The last lines that its instances wrote',
      tag: 'logs',
      params: ofModel,
      query: lines,
      responses: { 200: jsonResponse('Oldest first.', 'LogPage') },
      async handle({ context, actor, params, query }) {
        const found = await useCases.logs(actor, params.namespace, params.model, query.limit);
        return context.json({ items: found.filter(({ at }) => at >= query.after) });
      },
    }),
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/usage`,
      summary: 'Traffic per revision and minute',
      tag: 'usage',
      params: ofModel,
      query: minutes,
      responses: { 200: jsonResponse('The last day, if not said otherwise.', 'UsagePage') },
      async handle({ context, actor, params, query }) {
        const { from, to } = spanOf(query, clock);
        if (to - from > MAX_MINUTES) {
          throw new Fault('bad_request', `${to - from} minutes, expected at most ${MAX_MINUTES}`);
        }
        const items = await useCases.usage(actor, { ...params, ...query, from, to });
        return context.json({ items });
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/usage',
      summary: 'Traffic of all models per revision and minute, in the order of time',
      tag: 'usage',
      params: NONE,
      query: ofAll,
      responses: { 200: jsonResponse('The last day, if not said otherwise.', 'UsagePage') },
      async handle({ context, actor, query }) {
        const { from, to } = spanOf(query, clock);
        const { namespace, limit } = query;
        const after = query.after === undefined ? undefined : parsePlace(query.after);
        const place = { ...(namespace && { namespace }), ...(after && { after }) };
        const items = await useCases.usageLog(actor, { from, to, limit, ...place });
        return context.json({ items, ...nextOf(items, limit, formatPlace) });
      },
    }),
  ];
}

type Place = Pick<UsageRecord, 'minute' | 'namespace' | 'model' | 'revision'>;

function formatPlace({ minute: at, namespace, model, revision }: Place): string {
  return `${at}/${revisionKey(namespace, model, revision)}`;
}

function parsePlace(text: string): Place {
  const [, at, key] = /^([0-9]{1,12})\/([^/]+\/[^/]+\/[^/]+)$/.exec(text) ?? [];
  if (key !== undefined) return { minute: Number(at), ...partsOfRevisionKey(key) };
  throw new Fault('bad_request', `after ${text.slice(0, 40)}: expected next of a page`);
}
