import { type BatchRecord, batchSpec } from '#domain/job.ts';
import { isSharded } from '#domain/batch-rules.ts';
import type { RunBounds, RunModel, RunOrder } from '#domain/job-run.ts';
import { revisionSpec, type RuntimeName } from '#domain/model.ts';
import { modelKey, revisionKey } from '#domain/names.ts';
import type { RevisionRecord } from '#domain/records.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';
import { concurrencyOf, specOf } from '../records/facts.ts';
import { ownRevisionKey } from './own-model.ts';

/** Where a batch's rows are scored, and how many requests may be under way there. */
export interface Places {
  /** It has instances of its own. False: what runs elsewhere is asked as everybody asks it. */
  isOwn(job: Target): boolean;
  /** Undefined: the revision has gone. */
  orderOf(job: BatchRecord, folder: string): RunOrder | undefined;
  /** The same on the instances that all callers share: to try it. */
  trialOf(job: BatchRecord, folder: string): RunOrder | undefined;
  /** Instances that can be asked now. */
  ready(job: BatchRecord): number;
  slots(job: BatchRecord): number;
  /** Instances of its own, at most. */
  most(job: Target): number;
}

type Target = Pick<BatchRecord, 'namespace' | 'spec' | 'revision'>;

/** Where a revision sets no limit to what an instance takes at once. */
const UNLIMITED_SLOTS = 8;
/** They serve a model under the name that they are started with, and take binary tensors. */
const OURS: ReadonlySet<RuntimeName> = new Set(['onnx', 'function', 'python']);

export function createPlaces(options: {
  catalog: Catalog;
  runtime: Pick<Runtime, 'instances'>;
  /** The data plane, as a caller of this machine writes it. */
  dataPlane: string;
  /** As the pods of shards write it; absent: there are none. */
  shardDataPlane?: string | undefined;
  /** Connections to it begin with a PROXY header. */
  proxyProtocol: boolean;
  /** Where jobs read and write. */
  bounds: RunBounds;
  /** More instances than that do not score more. */
  cores: number;
}): Places {
  const { catalog, runtime, bounds, cores, dataPlane, shardDataPlane } = options;

  function isOwn(job: Target): boolean {
    return catalog.revision(sourceOf(job))?.value.spec.runtime !== 'url';
  }

  function ownOf(job: BatchRecord): string {
    const own = ownRevisionKey(job);
    return catalog.revision(own) ? own : sourceOf(job);
  }

  function ready(job: BatchRecord): number {
    return runtime.instances(ownOf(job)).filter(({ state }) => state === 'ready').length;
  }

  function makeOrder(
    job: BatchRecord,
    folder: string,
    key: string,
    url: string = dataPlane,
  ): RunOrder | undefined {
    const record = catalog.revision(key)?.value;
    if (!record) return undefined;
    const { namespace, id, spec } = job;
    const model = makeModel(record, spec.model, { ...options, dataPlane: url });
    return { namespace, id, spec: batchSpec.parse(spec), model, folder, bounds };
  }

  return {
    isOwn,
    orderOf: (job, folder) =>
      makeOrder(job, folder, ownOf(job), isSharded(job.spec) ? shardDataPlane : dataPlane),
    trialOf: (job, folder) => makeOrder(job, folder, sourceOf(job)),
    ready,
    slots(job) {
      const each = concurrencyOf(catalog, ownOf(job)) || UNLIMITED_SLOTS;
      return Math.max(1, ready(job)) * each;
    },
    most({ namespace, spec }) {
      const entry = catalog.model(modelKey(namespace, spec.model));
      return Math.max(1, Math.min(cores, entry ? specOf(entry).scaling.max : 1));
    },
  };
}

/** Key of the revision that was chosen. */
export function sourceOf({ namespace, spec, revision }: Target): string {
  return revisionKey(namespace, spec.model, revision);
}

function makeModel(
  record: RevisionRecord,
  model: string,
  { dataPlane, proxyProtocol }: { dataPlane: string; proxyProtocol: boolean },
): RunModel {
  const { timeouts, runtime } = revisionSpec.parse(record.spec);
  const isOurs = OURS.has(runtime);
  const served = isOurs ? record.model : model;
  const { inputs = [], outputs = [] } = record.inspection ?? {};
  return {
    url: `${dataPlane}/models/${record.namespace}/${record.model}/v2/models/${served}/`,
    proxyProtocol,
    headers: { 'rouse-revision': record.name },
    inputs,
    outputs,
    binary: isOurs,
    timeoutMs: timeouts.total ?? timeouts.run,
  };
}
