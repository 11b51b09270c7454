import type { TrafficTarget } from '#domain/model.ts';
import type { Instance, Runtime } from '#runtime/runtime.ts';
import type { Stored } from '#store/store.ts';
import { type ModelEntry, revisionKeys } from './catalog.ts';
import type { ModelView } from './usecases.ts';

export function makeView(entry: ModelEntry, runtime: Pick<Runtime, 'instances'>): ModelView {
  const revisions = [...entry.revisions.values()].sort((a, b) => a.value.ordinal - b.value.ordinal);
  const instances = revisionKeys(entry).flatMap((key) => runtime.instances(key));
  const targets: TrafficTarget[] = entry.resolved.targets.map((target) => ({ ...target }));
  return {
    ...entry.stored,
    namespace: entry.namespace,
    name: entry.name,
    revisions,
    targets,
    state: stateOf(revisions, instances),
    instances,
  };
}

function stateOf(
  revisions: readonly Stored<'revision'>[],
  instances: readonly Instance[],
): ModelView['state'] {
  const states = revisions.map((revision) => revision.value.state);
  if (!states.includes('Ready')) {
    return states.length > 0 && states.every((state) => state === 'Failed')
      ? 'Failed'
      : 'Preparing';
  }
  if (instances.some((instance) => instance.state === 'ready')) return 'Awake';
  if (instances.some((instance) => instance.state === 'starting')) return 'Waking';
  return instances.some((instance) => instance.state === 'parked') ? 'Parked' : 'Asleep';
}
