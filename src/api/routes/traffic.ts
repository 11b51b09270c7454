import { parseDocument } from '#domain/parse.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { etagOf, expectedVersion } from '../preconditions.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { trafficBody } from '../schemas.ts';
import { conditions, currentVersion, MODEL_PATH, ofModel } from './models.ts';

export function makeTrafficRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/traffic`,
      summary: 'The split of requests over revisions, resolved',
      tag: 'traffic',
      query: NONE,
      params: ofModel,
      responses: { 200: jsonResponse('Empty while nothing is ready.', 'Traffic') },
      async handle({ context, actor, params }) {
        const view = await useCases.getModel(actor, params.namespace, params.model);
        return context.json({ traffic: view.targets }, 200, { etag: etagOf(view.version) });
      },
    }),
    defineRoute({
      method: 'put',
      path: `${MODEL_PATH}/traffic`,
      summary: 'Replaces the split, at once and as a whole',
      tag: 'traffic',
      query: NONE,
      params: ofModel,
      headers: conditions,
      body: { schema: 'Traffic', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 200: jsonResponse('What it is now.', 'Traffic') },
      async handle({ context, actor, params }) {
        const { traffic } = parseDocument(trafficBody, await readDocument(context), 'traffic');
        const expected = await expectedVersion(context, currentVersion(useCases, actor, params));
        const { namespace, model } = params;
        const view = await useCases.setTraffic(actor, namespace, model, traffic, expected);
        return context.json({ traffic: view.targets }, 200, { etag: etagOf(view.version) });
      },
    }),
  ];
}
