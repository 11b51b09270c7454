import { Fault } from '#lib/fault.ts';
import type { ApiOptions } from '../context.ts';
import { defineRoute, jsonResponse, NONE, type Route } from '../route.ts';
import { makeFileSchema } from '../schemas.ts';

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const plainText = (description: string) => ({
  description,
  content: { 'text/plain': { schema: { type: 'string' as const } } },
});
const jsonSchema = {
  description: 'JSON Schema 2020-12.',
  content: { 'application/schema+json': { schema: { type: 'object' as const } } },
};

export function makeServerRoutes(options: ApiOptions): Route[] {
  const { version, domain, dataPlane, curlWay, ready, metrics } = options;
  return [
    defineRoute({
      method: 'get',
      path: '/',
      summary: 'Where to go from here',
      tag: 'server',
      params: NONE,
      query: NONE,
      responses: { 200: plainText('Addresses of this server.') },
      handle: ({ context }) => context.text(makeIndex(version)),
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1',
      summary: 'What this server is, and where its data plane is',
      tag: 'server',
      params: NONE,
      query: NONE,
      responses: { 200: jsonResponse('About this server.', 'ServerInfo') },
      handle: ({ context }) =>
        context.json({
          name: 'rouse',
          version,
          dataPlane: dataPlane(),
          domain,
          curl: curlWay(),
        }),
    }),
    defineRoute({
      method: 'get',
      path: '/healthz',
      summary: 'Does the process run? Needs no key',
      tag: 'server',
      params: NONE,
      query: NONE,
      responses: { 200: plainText('It does.') },
      handle: ({ context }) => context.text('ok\n'),
    }),
    defineRoute({
      method: 'get',
      path: '/readyz',
      summary: 'Can it do its work? Needs no key',
      tag: 'server',
      params: NONE,
      query: NONE,
      responses: { 200: plainText('It can.') },
      handle({ context }) {
        if (ready()) return context.text('ready\n');
        throw new Fault('unavailable', 'not ready yet', { retryAfter: 1 });
      },
    }),
    defineRoute({
      method: 'get',
      path: '/metrics',
      summary: 'Metrics of everything, for Prometheus',
      tag: 'server',
      params: NONE,
      query: NONE,
      responses: { 200: plainText('Prometheus text format.') },
      handle: async ({ context }) =>
        context.body(await metrics(), 200, { 'content-type': PROMETHEUS_TYPE }),
    }),
    ...(['model', 'schedule', 'server'] as const).map((kind) => makeSchemaRoute(kind)),
  ];
}

/** For whoever opens the address in a browser. */
function makeIndex(version: string): string {
  return [
    `Rouse ${version}, control`,
    '',
    '/api/v1/namespaces/default/models  models and what they do',
    '/api/v1/events                     what happened, and why',
    '/openapi.json                      the whole API',
    '/schemas/model.json                what a model file may hold, for editors',
    '/schemas/schedule.json             what is done at certain times, the same',
    '/metrics                           for Prometheus',
    '',
  ].join('\n');
}

function makeSchemaRoute(kind: Parameters<typeof makeFileSchema>[0]): Route {
  const text = JSON.stringify(makeFileSchema(kind));
  return defineRoute({
    method: 'get',
    path: `/schemas/${kind}.json`,
    summary: `What a ${kind} file may hold, for editors`,
    tag: 'server',
    params: NONE,
    query: NONE,
    responses: { 200: jsonSchema },
    handle: ({ context }) => context.body(text, 200, { 'content-type': 'application/schema+json' }),
  });
}
