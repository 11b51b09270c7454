import { revisionKey } from '#domain/names.ts';
import type { RevisionRecord } from '#domain/records.ts';
import type { RetentionSeen, RevisionSeen } from '#policies/retention/retention.ts';
import type { Gaps } from '#policies/retention/watch.ts';
import type { Runtime } from '#runtime/runtime.ts';
import { type ModelEntry, revisionsOf } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import type { LoadBook } from '../load.ts';
import type { Reference, ReferencesOf } from '../records/references.ts';
import type { LastUse } from './last-use.ts';

export interface SeenOptions {
  readonly runtime: Pick<Runtime, 'instances' | 'routes'>;
  readonly loads: Pick<LoadBook, 'totals'>;
  readonly lastUse: Pick<LastUse, 'ofModel' | 'ofRevision'>;
  /** What other parts need. */
  readonly references: readonly ReferencesOf[];
}

/** All that the retention policy is shown of a model. */
export function seeModel(entry: ModelEntry, gaps: Gaps, options: SeenOptions): RetentionSeen {
  const { lastUse, references } = options;
  const { stored, key } = entry;
  const needs = [...ownReferences(entry), ...references.flatMap((of) => of(entry))];
  const { createdAt, restoredAt = 0 } = stored.value;
  const revisions = revisionsOf(entry).map((record) => seeRevision(entry, record, needs, options));
  return {
    // Whoever makes a revision is about to use it.
    begunAt: Math.max(createdAt, restoredAt, ...revisions.map((one) => one.begunAt)),
    lastRequestAt: lastUse.ofModel(key),
    heldBy: needs.flatMap(({ revision, why }) => (revision === undefined ? [why] : [])),
    revisions,
    gaps,
  };
}

function seeRevision(
  entry: ModelEntry,
  record: RevisionRecord,
  needs: readonly Reference[],
  { runtime, loads, lastUse }: SeenOptions,
): RevisionSeen {
  const key = revisionKey(entry.namespace, entry.name, record.name);
  const { queued, inFlight } = loads.totals(key);
  const restoredAt = Math.max(record.restoredAt ?? 0, entry.stored.value.restoredAt ?? 0);
  const why = needs.flatMap((need) => (need.revision === record.name ? [need.why] : []));
  return {
    name: record.name,
    ordinal: record.ordinal,
    begunAt: Math.max(record.createdAt, restoredAt),
    lastRequestAt: lastUse.ofRevision(key),
    isReady: record.state === 'Ready',
    isBusy: queued + inFlight > 0 || isReachedElsewhere(key, record, runtime),
    heldBy: [...new Set(why)],
  };
}

/** There are other ways to instances of it than ours: requests come that nobody here counts. */
export function isReachable({ spec }: RevisionRecord, runtime: Pick<Runtime, 'routes'>): boolean {
  return runtime.routes !== undefined && spec.runtime !== 'url';
}

/** There an instance that runs is the sign of requests. */
function isReachedElsewhere(
  key: string,
  record: RevisionRecord,
  runtime: SeenOptions['runtime'],
): boolean {
  return isReachable(record, runtime) && runtime.instances(key).length > 0;
}

function ownReferences(entry: ModelEntry): Reference[] {
  const { document, owner } = entry.stored.value;
  const { scaling, retention } = specOf(entry);
  const { min } = scaling;
  const asksForIt = retention?.models?.unusedFor !== undefined;
  const revisions = revisionsOf(entry);
  const isWorkedOn = revisions.find(({ state }) => state === 'Preparing' || state === 'Proving');
  const declared = [document.spec.revision ?? [], document.spec.revisions ?? []].flat();
  return [
    // What holds for all others is no order to delete what somebody else keeps.
    ...(owner && !asksForIt ? [{ why: 'its Model object in the cluster keeps it' }] : []),
    ...(min > 0 ? [{ why: `scaling.min is ${min}` }] : []),
    ...(isWorkedOn ? [{ why: `its revision ${isWorkedOn.name} is ${isWorkedOn.state}` }] : []),
    ...revisions.flatMap(({ name, state }) =>
      state === 'Preparing' || state === 'Proving'
        ? [{ revision: name, why: `it is ${state}` }]
        : [],
    ),
    ...revisions.slice(-1).map(({ name }) => ({ revision: name, why: 'it is the newest' })),
    ...declared.flatMap(({ name }) =>
      name === undefined ? [] : [{ revision: name, why: 'the model file has it' }],
    ),
    ...trafficOf(entry),
    ...(document.spec.shadow
      ? [{ revision: document.spec.shadow.revision, why: 'it is a shadow' }]
      : []),
  ];
}

/** What serves now, and what is written and will serve. */
function trafficOf({ resolved, stored }: ModelEntry): Reference[] {
  const rows = [...resolved.targets, ...(stored.value.document.spec.traffic ?? [])];
  return rows.flatMap(({ revision, tag }) => {
    if (revision === undefined) return [];
    return { revision, why: tag === undefined ? 'traffic leads to it' : `tag ${tag} leads to it` };
  });
}
