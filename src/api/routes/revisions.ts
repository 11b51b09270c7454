import { revisionKey, revisionName } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { etagOf, expectedVersion } from '../preconditions.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { makeInstanceView, makeRevisionView } from '../views.ts';
import { conditions, deletion, isNow, MODEL_PATH, ofModel } from './models.ts';

const ofRevision = ofModel.extend({ revision: revisionName });
const REVISION_PATH = `${MODEL_PATH}/revisions/{revision}`;

export function makeRevisionRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/revisions`,
      summary: 'The revisions of a model',
      tag: 'revisions',
      query: NONE,
      params: ofModel,
      responses: { 200: jsonResponse('Oldest first.', 'RevisionPage') },
      async handle({ context, actor, params }) {
        const { revisions } = await useCases.getModel(actor, params.namespace, params.model);
        return context.json({ items: revisions.map(makeRevisionView) });
      },
    }),
    defineRoute({
      method: 'get',
      path: REVISION_PATH,
      summary: 'A revision: how it runs, and what was found in its file',
      tag: 'revisions',
      query: NONE,
      params: ofRevision,
      responses: { 200: jsonResponse('ETag is what If-Match takes.', 'Revision') },
      async handle({ context, actor, params }) {
        const stored = await useCases.getRevision(actor, keyOf(params));
        const { revisions } = await useCases.getModel(actor, params.namespace, params.model);
        // As in the list: with what is known now beside what is stored.
        const shown = revisions.find(({ key }) => key === stored.key) ?? stored;
        return context.json(makeRevisionView(shown), 200, { etag: etagOf(stored.version) });
      },
    }),
    defineRoute({
      method: 'delete',
      path: REVISION_PATH,
      summary: 'Removes a revision that no traffic names',
      tag: 'revisions',
      query: deletion,
      params: ofRevision,
      headers: conditions,
      responses: { 204: { description: 'It is gone, and can be restored for a while.' } },
      async handle({ context, actor, params, query }) {
        const key = keyOf(params);
        const ifMatch = await expectedVersion(context, async () => {
          const stored = await useCases.getRevision(actor, key).catch(absent);
          return stored?.version;
        });
        await useCases.deleteRevision(actor, key, { ifMatch, now: isNow(query) });
        return context.body(null, 204);
      },
    }),
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/instances`,
      summary: 'What runs now',
      tag: 'instances',
      query: NONE,
      params: ofModel,
      responses: { 200: jsonResponse('Instances of all revisions.', 'InstancePage') },
      async handle({ context, actor, params }) {
        const { instances } = await useCases.getModel(actor, params.namespace, params.model);
        return context.json({ items: instances.map(makeInstanceView) });
      },
    }),
  ];
}

function keyOf(params: { namespace: string; model: string; revision: string }): string {
  return revisionKey(params.namespace, params.model, params.revision);
}

function absent(error: unknown): undefined {
  if (error instanceof Fault && error.code === 'not_found') return undefined;
  throw error;
}
