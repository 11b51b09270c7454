import type { ProgramRecord } from '#domain/job.ts';
import { formatScores } from '#domain/measures.ts';
import { revisionKey } from '#domain/names.ts';
import type { ProgramReport } from '#domain/program-job.ts';
import type { ArtifactRef, Lineage, RevisionRecord } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { Write } from '#store/store.ts';
import { planNext } from '../records/apply.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import type { NewEvent } from '../records/journal.ts';
import { makeKept } from '../records/kept-split.ts';
import type { ProgramResult } from './program-runner.ts';
import { JOBS } from './state.ts';

/** What a program has left becomes the next revision of its model, with no share of the traffic. */

/**
 * The model, and what the next revision is made from. Throws Fault `conflict` where nothing would judge it, or where it
 * could not be made.
 */
export function findParent(
  catalog: Catalog,
  { namespace, spec, parent }: Pick<ProgramRecord, 'namespace' | 'spec' | 'parent'>,
): { entry: ModelEntry; parent: RevisionRecord; artifact: ArtifactRef } {
  const { model = '' } = spec;
  const entry = requireModel(catalog, namespace, model);
  const record = entry.revisions.get(parent ?? '')?.value;
  const what = `model ${entry.key}`;
  if (!record) throw new Fault('conflict', `${what} has no revision ${parent}`);
  if (!entry.stored.value.document.spec.selection) {
    throw new Fault(
      'conflict',
      `${what} has no spec.selection: nothing would judge the next revision before it serves`,
    );
  }
  const { artifact } = record;
  if (artifact) return { entry, parent: record, artifact };
  throw new Fault(
    'conflict',
    `revision ${parent} of ${what} has no stored content (runtime ${record.spec.runtime}): nothing can take its place`,
  );
}

/** All that is written when a program has succeeded, beside the record of its job. */
export function planRevision(
  catalog: Catalog,
  record: ProgramRecord,
  result: ProgramResult,
  now: number,
): { report: ProgramReport; writes: Write[]; events: NewEvent[] } {
  const { made, ...figures } = result;
  if (!made) {
    const report = { ...figures, isNew: false, metrics: {}, parent: {} };
    return { report, writes: [], events: [] };
  }
  const { artifact, metrics, parent: parentMetrics } = made;
  const { entry, parent } = findParent(catalog, record);
  const { revision, isNew } = planNext(
    entry,
    { ...parent.spec, source: `sha256:${artifact.digest}` },
    {
      artifacts: new Map([[artifact.digest, artifact]]),
      actor: JOBS,
      now,
      lineage: {
        job: record.id,
        parent: parent.name,
        ...(result.data && { data: result.data.digest }),
        metrics,
        parentMetrics,
      },
    },
  );
  const report = { ...figures, artifact, metrics, parent: parentMetrics, revision: revision.name };
  if (!isNew) return { report: { ...report, isNew }, writes: [], events: [] };
  return {
    report: { ...report, isNew },
    writes: [makeWrite(revision), ...keepServing(entry)],
    events: [makeCreated(revision, now)],
  };
}

function makeWrite(value: RevisionRecord): Write {
  const key = revisionKey(value.namespace, value.model, value.name);
  return { kind: 'revision', key, expected: 0, value };
}

/** What serves now keeps doing so, even if selection has not looked at the model yet. */
function keepServing(entry: ModelEntry): Write[] {
  const kept = entry.split ? undefined : makeKept(entry);
  return kept ? [kept] : [];
}

function makeCreated(record: RevisionRecord, at: number): NewEvent {
  const { namespace, model, name: revision, lineage } = record;
  const why = `made ${lineage ? describeLineage(lineage) : `by ${record.createdBy.id}`}; its selection decides whether it serves`;
  const event = { at, namespace, model, revision, type: 'RevisionCreated', why, actor: JOBS };
  return { ...event, data: { ...lineage } };
}

/** `by job digits-3f from v2 with data sha256:12ab…: accuracy 0.97, of v2 0.93`. */
function describeLineage({ job, parent, data, metrics, parentMetrics }: Lineage): string {
  const from = `by job ${job} from ${parent}`;
  const withData = data === undefined ? '' : ` with data sha256:${data.slice(0, 12)}`;
  const own = formatScores(metrics);
  const other = formatScores(parentMetrics);
  const measured = own === '' ? '' : `: ${own}`;
  return `${from}${withData}${measured}${other === '' ? '' : ` (${parent}: ${other})`}`;
}
