import { parseDocument } from '#domain/parse.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { rolloutBody } from '../schemas.ts';
import { MODEL_PATH, ofModel } from './models.ts';

export function makeRolloutRoutes({ useCases }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/rollout`,
      summary: 'How the last rollout stands, and why',
      tag: 'rollout',
      query: NONE,
      params: ofModel,
      responses: { 200: jsonResponse('The one that runs, or the last.', 'Rollout') },
      async handle({ context, actor, params }) {
        return context.json(await useCases.getRollout(actor, params.namespace, params.model));
      },
    }),
    defineRoute({
      method: 'post',
      path: `${MODEL_PATH}/rollout`,
      summary: 'Pauses, resumes, skips a step, aborts or promotes',
      tag: 'rollout',
      query: NONE,
      params: ofModel,
      body: { schema: 'RolloutRequest', types: DOCUMENT_TYPES, role: 'deploy' },
      responses: { 200: jsonResponse('How it stands now.', 'Rollout') },
      async handle({ context, actor, params }) {
        const { action } = parseDocument(rolloutBody, await readDocument(context), 'rollout');
        const { namespace, model } = params;
        return context.json(await useCases.actOnRollout(actor, namespace, model, action));
      },
    }),
  ];
}
