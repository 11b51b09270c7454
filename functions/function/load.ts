import type { RequestListener } from 'node:http';
import { Fault, messageOf } from '#lib/fault.ts';
import { createRoutes } from '#functions/protocol/routes.ts';
import type { Loaded, Settings } from '#functions/settings.ts';
import { type UserModel, findModule, importModule } from './module.ts';

/** Paths of V2 and V1. */
const PROTOCOL = /^\/v2(\/|\?|$)|^\/v1\/models\//;

export async function loadFunction(settings: Settings): Promise<Loaded> {
  const begun = performance.now();
  const module = await importModule(findModule(settings.source));
  if (module.kind === 'predict') await callLoad(module.model);
  const loadMs = performance.now() - begun;
  if (module.kind === 'fetch') {
    const { createFetchListener } = await import('./fetch.ts');
    return { listener: createFetchListener(module.handle), loadMs };
  }
  const { makeServable } = await import('./servable.ts');
  const servable = makeServable(module.model);
  const { platform, inputs, outputs } = servable.metadata;
  const routes = createRoutes(servable, settings);
  const listener = module.model.fetch ? withOwnPaths(routes, module.model) : routes;
  return { listener, loadMs, metadata: { platform, inputs, outputs } };
}

/** Fetch handlers are loaded with the first request for one: they take as long as starting Node. */
function withOwnPaths(routes: RequestListener, model: UserModel): RequestListener {
  let own: Promise<RequestListener> | undefined;
  return (request, response) => {
    if (PROTOCOL.test(request.url ?? '')) {
      routes(request, response);
      return;
    }
    own ??= import('./fetch.ts').then(({ createFetchListener }) =>
      createFetchListener((asked) => model.fetch?.(asked)),
    );
    void own.then((listener) => listener(request, response));
  };
}

async function callLoad(model: UserModel): Promise<void> {
  try {
    await model.load?.();
  } catch (error) {
    throw new Fault('start_failed', `load() failed: ${messageOf(error)}`, { cause: error });
  }
}
