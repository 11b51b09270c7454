import { z } from 'zod';
import { modelName, namespaceName } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { parseModelFor } from '../document.ts';
import { nextOf, page } from '../paging.ts';
import { etagOf, expectedVersion, versionFound } from '../preconditions.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { makeModelView, type Places } from '../views.ts';

const inNamespace = z.strictObject({ namespace: namespaceName });
export const ofModel = z.strictObject({ namespace: namespaceName, model: modelName });
export const MODEL_PATH = '/api/v1/namespaces/{namespace}/models/{model}';
export const conditions = z.object({
  'if-match': z.string().optional(),
  'if-none-match': z.string().optional(),
});

export const deletion = z.strictObject({
  now: z.enum(['true', 'false']).optional().meta({ description: 'It cannot be restored.' }),
});

export function isNow({ now }: z.output<typeof deletion>): boolean {
  return now === 'true';
}

const modelPage = page.extend({
  jobs: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Those that belong to batch jobs, too.' }),
});
type ModelPage = z.output<typeof modelPage>;

export function makeModelRoutes(options: ApiOptions): Route[] {
  const { useCases } = options;
  const places = (): Places => ({ dataPlane: options.dataPlane(), domain: options.domain });

  async function list(actor: Actor, namespace: string | undefined, query: ModelPage) {
    const { after, limit, jobs } = query;
    const wanted = { after, limit, ofJobs: jobs === 'true' };
    const views = await useCases.listModels(actor, namespace, wanted);
    const items = views.map((view) => makeModelView(view, places()));
    return { items, ...nextOf(views, limit, ({ key }) => key) };
  }

  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/models',
      summary: 'The models of all namespaces',
      tag: 'models',
      params: NONE,
      query: modelPage,
      responses: { 200: jsonResponse('In the order of namespaces and names.', 'ModelPage') },
      handle: async ({ context, actor, query }) =>
        context.json(await list(actor, undefined, query)),
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/namespaces/{namespace}/models',
      summary: 'The models of a namespace',
      tag: 'models',
      params: inNamespace,
      query: modelPage,
      responses: { 200: jsonResponse('In the order of their names.', 'ModelPage') },
      handle: async ({ context, actor, params, query }) =>
        context.json(await list(actor, params.namespace, query)),
    }),
    defineRoute({
      method: 'get',
      path: MODEL_PATH,
      summary: 'A model as it was written, and its status',
      tag: 'models',
      query: NONE,
      params: ofModel,
      responses: { 200: jsonResponse('ETag is what If-Match takes.', 'ModelView') },
      async handle({ context, actor, params }) {
        const view = await useCases.getModel(actor, params.namespace, params.model);
        return context.json(makeModelView(view, places()), 200, { etag: etagOf(view.version) });
      },
    }),
    defineRoute({
      method: 'put',
      path: MODEL_PATH,
      summary: 'Makes the model what the document says',
      tag: 'models',
      query: NONE,
      params: ofModel,
      headers: conditions,
      body: { schema: 'Model', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: {
        200: jsonResponse('Changed, or the same as before.', 'Applied'),
        201: jsonResponse('It is new.', 'Applied'),
      },
      async handle({ context, actor, params }) {
        const { namespace, model: name } = params;
        const document = parseModelFor({ namespace, name }, await readDocument(context));
        const expected = await expectedVersion(context, currentVersion(useCases, actor, params));
        const { view, outcome, newRevisions } = await useCases.applyModel(
          actor,
          document,
          expected,
        );
        return context.json(
          { ...makeModelView(view, places()), applied: { outcome, newRevisions } },
          outcome === 'created' ? 201 : 200,
          { etag: etagOf(view.version) },
        );
      },
    }),
    defineRoute({
      method: 'delete',
      path: MODEL_PATH,
      summary: 'Removes a model with its revisions',
      tag: 'models',
      query: deletion,
      params: ofModel,
      headers: conditions,
      responses: { 204: { description: 'It is gone, and can be restored for a while.' } },
      async handle({ context, actor, params, query }) {
        const ifMatch = await expectedVersion(context, currentVersion(useCases, actor, params));
        const { namespace, model } = params;
        await useCases.deleteModel(actor, namespace, model, { ifMatch, now: isNow(query) });
        return context.body(null, 204);
      },
    }),
  ];
}

/** The version of a model that is there, for `If-Match: *`. */
export function currentVersion(
  useCases: ApiOptions['useCases'],
  actor: Actor,
  { namespace, model }: { namespace: string; model: string },
): () => Promise<number | undefined> {
  return versionFound(() => useCases.getModel(actor, namespace, model));
}
