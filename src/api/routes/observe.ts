import { z } from 'zod';
import { revisionName } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, type Route } from '../route.ts';
import { MODEL_PATH, ofModel } from './models.ts';

const MAX_LINES = 1000;
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** A month of minutes of one revision is 4 MB of JSON. */
const MAX_MINUTES = 31 * DAY_MINUTES;

const lines = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_LINES).default(200),
  after: z.coerce
    .number()
    .min(0)
    .default(0)
    .meta({ description: 'Only lines not before this time.' }),
});
const minutes = z.strictObject({
  revision: revisionName.optional(),
  from: z.coerce.number().int().min(0).optional().meta({ description: 'Minute since the epoch.' }),
  to: z.coerce.number().int().min(0).optional().meta({ description: 'Minute since the epoch.' }),
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
        const to = query.to ?? Math.floor(clock.now() / MINUTE_MS);
        const from = query.from ?? to - DAY_MINUTES;
        if (to - from > MAX_MINUTES) {
          throw new Fault('bad_request', `${to - from} minutes, expected at most ${MAX_MINUTES}`);
        }
        const items = await useCases.usage(actor, { ...params, ...query, from, to });
        return context.json({ items });
      },
    }),
  ];
}
