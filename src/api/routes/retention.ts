import { z } from 'zod';
import type { CollectionRow, DeletedView } from '#control/usecases/usecases.ts';
import { namespaceName, revisionKey } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { CollectionRowView } from '#domain/views.ts';
import { MAX_PAGE } from '#domain/page.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { nextOf, page } from '../paging.ts';
import { etagOf } from '../preconditions.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { collectBody, restoreBody } from '../schemas.ts';
import { makeModelView } from '../views.ts';
import { MODEL_PATH, ofModel } from './models.ts';

const ofAll = z.strictObject({ namespace: namespaceName.optional(), ...page.shape });

export function makeRetentionRoutes(options: ApiOptions): Route[] {
  const { useCases } = options;
  return [
    makeRestoreRoute(options),
    defineRoute({
      method: 'get',
      path: '/api/v1/deleted',
      summary: 'What was deleted and can be restored',
      tag: 'retention',
      params: NONE,
      query: ofAll,
      responses: { 200: jsonResponse('In the order of names and times.', 'DeletedPage') },
      async handle({ context, actor, query: { namespace, ...rest } }) {
        const views = await useCases.listDeleted(actor, namespace, rest);
        const next = nextOf(views, rest.limit, ({ id }) => id);
        return context.json({ items: views.map(makeDeletedView), ...next });
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/gc',
      summary: 'What would be cleared away now, and what stays, and why',
      tag: 'retention',
      params: NONE,
      query: ofAll,
      responses: {
        200: jsonResponse(
          'Of `limit` models; jobs and content come with the last ones.',
          'CollectionPage',
        ),
      },
      async handle({ context, actor, query: { namespace, ...rest } }) {
        const { rows, next } = await useCases.planCollection(actor, namespace, rest);
        return context.json({ items: rows.map(makeRow), ...(next !== undefined && { next }) });
      },
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/gc',
      summary: 'Clears away now what may go, instead of a little later',
      tag: 'retention',
      params: NONE,
      query: NONE,
      body: { schema: 'Collect', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 200: jsonResponse('What has gone; 1000 rows at most.', 'CollectionPage') },
      async handle({ context, actor }) {
        const body = parseDocument(collectBody, await readDocument(context), 'the request');
        const gone = await useCases.collect(actor, body.namespace);
        const items = gone.slice(0, MAX_PAGE).map((one) => makeRow({ ...one, keep: false }));
        return context.json({ items });
      },
    }),
  ];
}

function makeRestoreRoute(options: ApiOptions): Route {
  const { useCases } = options;
  return defineRoute({
    method: 'post',
    path: `${MODEL_PATH}/restore`,
    summary: 'Brings back what was deleted last under this name, or one revision',
    tag: 'retention',
    query: NONE,
    params: ofModel,
    body: { schema: 'Restore', types: DOCUMENT_TYPES, role: 'deploy' },
    responses: { 200: jsonResponse('It is back, with the revisions it had.', 'ModelView') },
    async handle({ context, actor, params: { namespace, model } }) {
      const body = parseDocument(restoreBody, await readDocument(context), 'the request');
      const view =
        body.revision === undefined
          ? await useCases.restoreModel(actor, namespace, model)
          : await useCases.restoreRevision(actor, revisionKey(namespace, model, body.revision));
      const places = { dataPlane: options.dataPlane(), domain: options.domain };
      return context.json(makeModelView(view, places), 200, { etag: etagOf(view.version) });
    },
  });
}

function makeDeletedView({ id: _id, ...view }: DeletedView) {
  return view;
}

function makeRow({ kind, key, keep, why, goesAt, bytes }: CollectionRow): CollectionRowView {
  return {
    kind,
    name: key,
    action: keep ? 'keep' : 'remove',
    why,
    ...(goesAt !== undefined && { goesAt }),
    ...(bytes !== undefined && { bytes }),
  };
}
