import { Fault, messageOf } from '#lib/fault.ts';
import { createRoutes } from '#functions/protocol/routes.ts';
import type { Loaded, Settings } from '#functions/settings.ts';
import { type UserModel, findModule, importModule } from './module.ts';

export async function loadFunction(settings: Settings): Promise<Loaded> {
  const begun = performance.now();
  const module = await importModule(await findModule(settings.source));
  if (module.kind === 'predict') await callLoad(module.model);
  const loadMs = performance.now() - begun;
  if (module.kind === 'fetch') {
    const { createFetchListener } = await import('./fetch.ts');
    return { listener: createFetchListener(module.handle), loadMs };
  }
  const { makeServable } = await import('./servable.ts');
  const servable = makeServable(module.model);
  const { platform, inputs, outputs } = servable.metadata;
  const listener = createRoutes(servable, settings.revision);
  return { listener, loadMs, metadata: { platform, inputs, outputs } };
}

async function callLoad(model: UserModel): Promise<void> {
  try {
    await model.load?.();
  } catch (error) {
    throw new Fault('start_failed', `load() failed: ${messageOf(error)}`, { cause: error });
  }
}
