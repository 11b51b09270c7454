import { revisionKey } from '#domain/names.ts';
import type { TrafficTarget } from '#domain/model.ts';
import type { RolloutRecord } from '#domain/rollout.ts';
import type { Instance, Runtime } from '#runtime/runtime.ts';
import type { SelectionView } from '#domain/selection.ts';
import type { Stored } from '#store/store.ts';
import { type ModelEntry, revisionKeys } from '../records/catalog.ts';
import type { Health } from '../health.ts';
import type { Retained } from '../retention/retention.ts';
import { shadowOf } from '../data-planes/shadow.ts';
import type { ModelView } from './usecases.ts';

/** What is known of models besides their records. */
export interface ViewOptions {
  readonly healthOf: (revision: string) => Health | undefined;
  /** What an instance of it waits for to be started. */
  readonly waitsFor: (revision: string) => string | undefined;
  readonly retainedOf: (entry: ModelEntry) => Retained;
  readonly rolloutOf: (model: string) => RolloutRecord | undefined;
  /** By key of the model. */
  readonly selectionOf: (model: string) => SelectionView | undefined;
}

export function makeView(
  entry: ModelEntry,
  runtime: Pick<Runtime, 'instances'>,
  about: ViewOptions,
): ModelView {
  const { healthOf, retainedOf, rolloutOf } = about;
  const selection = about.selectionOf(entry.key);
  const shadow = shadowOf(entry);
  const revisions = [...entry.revisions.values()]
    .sort((a, b) => a.value.ordinal - b.value.ordinal)
    .map((stored) => withTrouble(stored, about));
  const instances = revisionKeys(entry).flatMap((key) => runtime.instances(key));
  const served = entry.resolved.targets.filter(({ percent }) => percent > 0);
  const isFailing = ({ revision }: { readonly revision: string }): boolean =>
    healthOf(revisionKey(entry.namespace, entry.name, revision))?.startFailure !== undefined;
  const doesStart = served.length === 0 || !served.every(isFailing);
  const isElsewhere = ({ revision }: { readonly revision: string }): boolean =>
    entry.revisions.get(revision)?.value.spec.runtime === 'url';
  const isAway = !doesStart && served.every(isElsewhere);
  const targets: TrafficTarget[] = entry.resolved.targets.map((target) => ({ ...target }));
  return {
    ...entry.stored,
    namespace: entry.namespace,
    name: entry.name,
    revisions,
    targets,
    ...(shadow && { shadow }),
    state: stateOf(revisions, instances, { doesStart, isAway }),
    instances,
    retention: retainedOf(entry),
    rollout: rolloutOf(entry.key),
    ...(selection && { selection }),
  };
}

function stateOf(
  revisions: readonly Stored<'revision'>[],
  instances: readonly Instance[],
  { doesStart, isAway }: { readonly doesStart: boolean; readonly isAway: boolean },
): ModelView['state'] {
  const states = revisions.map((revision) => revision.value.state);
  if (!states.includes('Ready')) {
    return states.length > 0 && states.every((state) => state === 'Failed')
      ? 'Failed'
      : 'Preparing';
  }
  // Where nothing is started, an instance is an address: it says nothing of who is there.
  if (isAway) return 'Failed';
  if (instances.some((instance) => instance.state === 'ready')) return 'Awake';
  if (instances.some((instance) => instance.state === 'starting')) return 'Waking';
  if (instances.some((instance) => instance.state === 'parked')) return 'Parked';
  return doesStart ? 'Asleep' : 'Failed';
}

/** What it waits for, or why its last start failed, is the reason which is shown: the same that callers are told. */
function withTrouble(
  stored: Stored<'revision'>,
  { healthOf, waitsFor }: Pick<ViewOptions, 'healthOf' | 'waitsFor'>,
): Stored<'revision'> {
  const { state, spec } = stored.value;
  if (state === 'Failed') return stored;
  const waiting = waitsFor(stored.key);
  if (waiting !== undefined) return { ...stored, value: { ...stored.value, reason: waiting } };
  const failure = healthOf(stored.key)?.startFailure?.message;
  if (failure === undefined) return stored;
  const what = spec.runtime === 'url' ? '' : 'the last start failed: ';
  return { ...stored, value: { ...stored.value, reason: what + failure } };
}
