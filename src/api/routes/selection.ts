import { parseDocument } from '#domain/parse.ts';
import { selectionRequest } from '#domain/selection.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { MODEL_PATH, ofModel } from './models.ts';

export function makeSelectionRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/selection`,
      summary: 'Which revision serves by selection, and why',
      tag: 'selection',
      params: ofModel,
      query: NONE,
      responses: { 200: jsonResponse('What was decided last.', 'Selection') },
      handle: async ({ context, actor, params }) =>
        context.json(await useCases.getSelection(actor, params.namespace, params.model)),
    }),
    defineRoute({
      method: 'post',
      path: `${MODEL_PATH}/selection`,
      summary: 'Chooses a revision by hand',
      tag: 'selection',
      params: ofModel,
      query: NONE,
      body: { schema: 'SelectionRequest', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: {
        200: jsonResponse('It is stored, and carried out if it shall be.', 'Selection'),
      },
      async handle({ context, actor, params }) {
        const body = await readDocument(context);
        const wanted = parseDocument(selectionRequest, body, 'selection');
        return context.json(await useCases.select(actor, params.namespace, params.model, wanted));
      },
    }),
  ];
}
