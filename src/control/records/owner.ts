import type { Actor, ModelRecord } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { ModelEntry } from './catalog.ts';

/** Who keeps a model: of two that each make it what they want, neither would ever be done. */

type Owner = NonNullable<ModelRecord['owner']>;

/** Those who speak for a Model object of the cluster. */
const OF_OBJECTS = 'kubernetes:';

export function ownerOf(actor: Actor): Owner | undefined {
  return actor.id.startsWith(OF_OBJECTS) ? 'kubernetes' : undefined;
}

/** Throws Fault `conflict` where somebody else keeps the model. */
export function checkOwner(entry: ModelEntry | undefined, actor: Actor): void {
  if (!entry) return;
  const { key, namespace, name, stored } = entry;
  const { job } = stored.value;
  if (job !== undefined) {
    throw new Fault('conflict', `model ${key} belongs to job ${job}, and goes with it`);
  }
  if (stored.value.owner === ownerOf(actor)) return;
  throw new Fault(
    'conflict',
    stored.value.owner === undefined
      ? `model ${key} is kept by way of the API, where it was applied`
      : `model ${key} is kept by its Model object in the cluster, which is the place to change it: ` +
          `kubectl edit models.rouse.dev ${name} --namespace ${namespace}`,
  );
}
