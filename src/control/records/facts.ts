import type { KeepAliveSpec } from '#domain/keep-alive.ts';
import { type ModelSpec, type ScalingSpec, modelSpec, revisionSpec } from '#domain/model.ts';
import type { RevisionRecord, RevisionState } from '#domain/records.ts';
import { modelOf, revisionKey } from '#domain/names.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { Catalog, ModelEntry } from './catalog.ts';

/** What loops need to know of a revision. Made when it becomes active, so that sleeping ones cost nothing. */
export interface RevisionFacts {
  readonly key: string;
  readonly state: RevisionState;
  readonly workload: Workload;
  readonly scaling: ScalingSpec;
  readonly keepAlive: KeepAliveSpec;
  /** Traffic or a tag leads to it, so `min` holds for it. */
  readonly routed: boolean;
}

function factsOf(entry: ModelEntry, revision: RevisionRecord): RevisionFacts {
  const { scaling, keepAlive } = specOf(entry);
  return {
    key: revisionKey(entry.namespace, entry.name, revision.name),
    state: revision.state,
    workload: {
      ...workloadOf(revision),
      ...(entry.stored.value.job !== undefined && { priority: 'low' as const }),
    },
    scaling,
    keepAlive,
    routed: entry.resolved.targets.some((target) => target.revision === revision.name),
  };
}

/** Undefined: the catalog does not know it. */
export function factsOfKey(
  catalog: Pick<Catalog, 'model' | 'revision'>,
  key: string,
): RevisionFacts | undefined {
  const entry = catalog.model(modelOf(key));
  const stored = catalog.revision(key);
  return entry && stored && factsOf(entry, stored.value);
}

/** What is said of the model as a whole. Its revisions have records, and most of the text is theirs. */
export function specOf(entry: ModelEntry): Omit<ModelSpec, 'revision' | 'revisions'> {
  const { revision: _, revisions: __, ...rest } = entry.stored.value.document.spec;
  return modelSpec.parse(rest);
}

/** Requests that an instance of it takes at once; 0: no limit, or there is no such revision. */
export function concurrencyOf(catalog: Pick<Catalog, 'revision'>, revision: string): number {
  const stored = catalog.revision(revision);
  return stored ? revisionSpec.parse(stored.value.spec).concurrency : 0;
}

export function workloadOf(revision: RevisionRecord): Workload {
  return {
    key: revisionKey(revision.namespace, revision.model, revision.name),
    spec: revisionSpec.parse(revision.spec),
    ...(revision.artifact && { artifact: revision.artifact }),
    ...(revision.inspection && { inspection: revision.inspection }),
    ...(revision.state !== 'Ready' && { unproven: true as const }),
  };
}
