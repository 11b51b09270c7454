import { makeModelView, type Places } from '#api/views.ts';
import { MODEL_UNUSED } from '#control/retention/retention.ts';
import type { UseCases } from '#control/usecases/usecases.ts';
import { modelKey, modelOf } from '#domain/names.ts';
import type { Actor, EventRecord } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { ModelPlatform } from '#knative/models/platform.ts';
import type { Runtime } from '#runtime/runtime.ts';

const READER: Actor = { id: 'system:models', role: 'read' };
const PAGE = 1000;

type Asked = 'getModel' | 'listModels' | 'applyModel' | 'deleteModel' | 'setOwner' | 'watchEvents';

/** The platform as Model objects of the cluster use it: the same use cases as the API's. */
export function createModelPlatform(options: {
  useCases: Pick<UseCases, Asked>;
  runtime: Pick<Runtime, 'onEvent'>;
  at: Places;
}): ModelPlatform {
  const { useCases, runtime, at } = options;
  return {
    async read(namespace, model) {
      const view = await unlessMissing(useCases.getModel(READER, namespace, model));
      return view && makeModelView(view, at);
    },
    async apply(actor, document) {
      await useCases.applyModel(actor, document);
    },
    async remove(actor, namespace, model) {
      await unlessMissing(useCases.deleteModel(actor, namespace, model));
    },
    setOwned: (actor, namespace, model, isOwned) =>
      useCases.setOwner(actor, namespace, model, isOwned ? 'kubernetes' : undefined),
    async owned() {
      const keys: string[] = [];
      let after: string | undefined;
      for (;;) {
        const page = { limit: PAGE, ...(after !== undefined && { after }) };
        const views = await useCases.listModels(READER, undefined, page);
        keys.push(...views.filter(({ value }) => value.owner !== undefined).map(({ key }) => key));
        if (views.length < PAGE) return keys;
        after = views.at(-1)?.key;
      }
    },
    onChange(listener, signal) {
      runtime.onEvent(({ instance }) => {
        if (!signal.aborted) listener(modelOf(instance.revision));
      });
      const onEvent = ({ namespace, model }: { namespace: string; model: string }): void => {
        if (model !== '') listener(modelKey(namespace, model));
      };
      useCases.watchEvents(READER, {}, onEvent, signal);
    },
    onUnused(listener, signal) {
      const onEvent = ({ type, namespace, model }: EventRecord): void => {
        if (type === MODEL_UNUSED) listener(modelKey(namespace, model));
      };
      useCases.watchEvents(READER, {}, onEvent, signal);
    },
  };
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Fault && error.code === 'not_found') return undefined;
    throw error;
  }
}
