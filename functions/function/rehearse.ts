import { fileURLToPath } from 'node:url';
import { entryUrl } from '#lib/entry.ts';
import type { Rehearsal } from '#functions/settings.ts';
import { createFetchListener } from './fetch.ts';
import { loadFunction } from './load.ts';

const MODEL = fileURLToPath(entryUrl('./rehearsed/predict', import.meta.url));

/** Both kinds of module: a handler, and one with `predict`, which is loaded as a user's is. */
export async function rehearseFunction(): Promise<Rehearsal> {
  const listen = { path: '' };
  const told = { inspection: undefined, revision: undefined, tellsFailures: false };
  const settings = { source: MODEL, listen, ...told };
  const { listener: model } = await loadFunction({ kind: 'function', ...settings });
  const handler = createFetchListener(async (request) => new Response(await request.text()));
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
