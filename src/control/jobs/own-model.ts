import { type BatchRecord, ownModelName } from '#domain/job.ts';
import { ENV_TELL_FAILURES } from '#domain/launch.ts';
import type { ModelInput } from '#domain/model.ts';
import { modelKey, revisionKey } from '#domain/names.ts';
import type { RevisionRecord } from '#domain/records.ts';
import type { Write } from '#store/store.ts';
import { JOBS } from './state.ts';

/** A batch has instances of its own: a model that belongs to it, with a copy of the revision, and that goes with it. */

/** A batch follows the other within milliseconds; what is idle for longer waits for a disk, or for nothing. */
const IDLE = '10s';

export function ownRevisionKey({ namespace, id, revision }: BatchRecord): string {
  return revisionKey(namespace, ownModelName(id), revision);
}

/** `max`: most instances. */
export function makeOwnModel(
  job: BatchRecord,
  source: RevisionRecord,
  max: number,
  now: number,
): Write[] {
  const { namespace, id } = job;
  const name = ownModelName(id);
  const env = { ...source.spec.env, [ENV_TELL_FAILURES]: '1' };
  const spec = { ...source.spec, env };
  const document: ModelInput = {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name, namespace },
    spec: {
      revision: { ...spec, name: source.name },
      scaling: { min: 0, max },
      keepAlive: { policy: 'fixed', idle: IDLE },
      retention: { pinned: true },
    },
  };
  const made = { createdAt: now, updatedAt: now, updatedBy: JOBS };
  const { restoredAt: _, ...revision } = source;
  return [
    {
      kind: 'model',
      key: modelKey(namespace, name),
      expected: 0,
      value: { document, generation: 1, job: id, ...made },
    },
    {
      kind: 'revision',
      key: revisionKey(namespace, name, source.name),
      expected: 0,
      value: { ...revision, spec, model: name, ordinal: 1, createdAt: now, createdBy: JOBS },
    },
  ];
}
