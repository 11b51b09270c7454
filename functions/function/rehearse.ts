import { createRoutes } from '#functions/protocol/routes.ts';
import type { Rehearsal } from '#functions/settings.ts';
import { createFetchListener } from './fetch.ts';
import { makeServable } from './servable.ts';
import { loadFunction } from './load.ts';

/** Both kinds of module: a handler, and one with `predict`. */
export function rehearseFunction(): Rehearsal {
  const handler = createFetchListener(async (request) => new Response(await request.text()));
  const model = createRoutes(makeServable({ predict: (inputs) => inputs }), undefined);
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }];
  return {
    load: loadFunction,
    listener(request, response) {
      if (request.url === '/v2/models/m/infer') model(request, response);
      else handler(request, response);
    },
    requests: [
      { path: '/' },
      { path: '/', body: 'x' },
      { path: '/v2/models/m/infer', body: JSON.stringify({ inputs }) },
    ],
  };
}
