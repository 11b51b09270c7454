import { revisionKey } from '#domain/names.ts';
import type { TrafficTarget } from '#domain/model.ts';
import type { Instance, Runtime } from '#runtime/runtime.ts';
import type { Stored } from '#store/store.ts';
import { type ModelEntry, revisionKeys } from './catalog.ts';
import type { Health } from './health.ts';
import type { ModelView } from './usecases.ts';

export function makeView(
  entry: ModelEntry,
  runtime: Pick<Runtime, 'instances'>,
  healthOf: (revision: string) => Health | undefined,
): ModelView {
  const revisions = [...entry.revisions.values()]
    .sort((a, b) => a.value.ordinal - b.value.ordinal)
    .map((stored) => withFailure(stored, healthOf));
  const instances = revisionKeys(entry).flatMap((key) => runtime.instances(key));
  const served = entry.resolved.targets.filter(({ percent }) => percent > 0);
  const isFailing = ({ revision }: { readonly revision: string }): boolean =>
    healthOf(revisionKey(entry.namespace, entry.name, revision))?.startFailure !== undefined;
  const doesStart = served.length === 0 || !served.every(isFailing);
  const targets: TrafficTarget[] = entry.resolved.targets.map((target) => ({ ...target }));
  return {
    ...entry.stored,
    namespace: entry.namespace,
    name: entry.name,
    revisions,
    targets,
    state: stateOf(revisions, instances, doesStart),
    instances,
  };
}

function stateOf(
  revisions: readonly Stored<'revision'>[],
  instances: readonly Instance[],
  doesStart: boolean,
): ModelView['state'] {
  const states = revisions.map((revision) => revision.value.state);
  if (!states.includes('Ready')) {
    return states.length > 0 && states.every((state) => state === 'Failed')
      ? 'Failed'
      : 'Preparing';
  }
  if (instances.some((instance) => instance.state === 'ready')) return 'Awake';
  if (instances.some((instance) => instance.state === 'starting')) return 'Waking';
  if (instances.some((instance) => instance.state === 'parked')) return 'Parked';
  return doesStart ? 'Asleep' : 'Failed';
}

/** Where its last start failed, that is the reason which is shown: the same that callers are told. */
function withFailure(
  stored: Stored<'revision'>,
  healthOf: (revision: string) => Health | undefined,
): Stored<'revision'> {
  const reason = healthOf(stored.key)?.startFailure?.message;
  if (reason === undefined || stored.value.state === 'Failed') return stored;
  const what = stored.value.spec.runtime === 'url' ? '' : 'the last start failed: ';
  return { ...stored, value: { ...stored.value, reason: what + reason } };
}
