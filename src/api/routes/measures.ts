import { z } from 'zod';
import { type MeasureRecord, measureName } from '#domain/measures.ts';
import { revisionName } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { MeasureView } from '#domain/views.ts';
import { Fault } from '#lib/fault.ts';
import { DOCUMENT_TYPES, readDocument } from '../body.ts';
import type { ApiOptions } from '../context.ts';
import { minute, spanOf } from '../minutes.ts';
import { nextOf } from '../paging.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { measuresBody } from '../schemas.ts';
import { MODEL_PATH, ofModel } from './models.ts';

const MAX_ROWS = 5000;

const wanted = z.strictObject({
  revision: revisionName.optional(),
  name: measureName.optional(),
  from: minute,
  to: minute,
  after: z.string().max(300).optional().meta({ description: '`next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(MAX_ROWS).default(1000),
});

export function makeMeasureRoutes({ useCases, clock }: ApiOptions): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: `${MODEL_PATH}/measures`,
      summary: 'Takes what was measured of a model: scores, labels, values of its inputs',
      tag: 'measures',
      params: ofModel,
      query: NONE,
      body: { schema: 'Measures', types: DOCUMENT_TYPES, role: 'invoke' },
      responses: { 200: jsonResponse('All of them are stored.', 'MeasuresAdded') },
      async handle({ context, actor, params }) {
        const body = parseDocument(measuresBody, await readDocument(context), 'measures');
        const { namespace, model } = params;
        return context.json(await useCases.addMeasures(actor, namespace, model, body.measures));
      },
    }),
    defineRoute({
      method: 'get',
      path: `${MODEL_PATH}/measures`,
      summary: 'What was measured, per revision, name and minute',
      tag: 'measures',
      params: ofModel,
      query: wanted,
      responses: { 200: jsonResponse('The last day, if not said otherwise.', 'MeasurePage') },
      async handle({ context, actor, params, query }) {
        const { revision, name, limit } = query;
        const { from, to } = spanOf(query, clock);
        const after = query.after === undefined ? undefined : parsePlace(query.after);
        const found = await useCases.measures(actor, {
          ...params,
          ...(revision !== undefined && { revision }),
          ...(name !== undefined && { name }),
          ...(after && { after }),
          from,
          to,
          limit,
        });
        const items = found.map(makeMeasureView);
        return context.json({ items, ...nextOf(found, limit, formatPlace) });
      },
    }),
  ];
}

function makeMeasureView({
  namespace: _namespace,
  model: _model,
  revision,
  points,
  ...rest
}: MeasureRecord): MeasureView {
  const pairs = points.map(([value, weight]): [number, number] => [value, weight]);
  return { ...(revision !== '' && { revision }), ...rest, points: pairs };
}

type Place = Pick<MeasureRecord, 'minute' | 'revision' | 'name'>;

function formatPlace({ minute: at, revision, name }: Place): string {
  return `${at}/${revision}/${name}`;
}

function parsePlace(text: string): Place {
  const [, at, revision = '', name] = /^([0-9]{1,12})\/([^/]*)\/([^/]+)$/.exec(text) ?? [];
  if (name !== undefined) return { minute: Number(at), revision, name };
  throw new Fault('bad_request', `after ${text.slice(0, 40)}: expected next of a page`);
}
