import { isEnded, isProgram, jobKey, type JobRecord } from '#domain/job.ts';
import { keyPrefix, modelKey, revisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { messageOf } from '#lib/fault.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { decideEndedJob } from '#policies/retention/jobs.ts';
import type { Fate } from '#policies/retention/retention.ts';
import type { Gaps } from '#policies/retention/watch.ts';
import { MAX_ENDED_JOBS } from '../limits.ts';
import type { Catalog } from '../records/catalog.ts';
import type { JobReferencesOf } from '../records/references.ts';
import type { ControlMetrics } from '../metrics.ts';
import type { DeletedBook } from '../retention/deleted.ts';

/** What becomes of the record of a job that has ended. */
export interface JobFate {
  readonly key: string;
  readonly fate: Fate;
}

/** Removes the records of jobs that have ended long ago, and that nothing refers to. What jobs have written stays. */
export interface JobSweep {
  /** Without removing anything. The newest first. */
  look(): JobFate[];
  /** Those that were removed, of these. */
  sweep(namespace?: string): Promise<JobFate[]>;
}

/** What retention knows, and what it is to do. */
export interface JobRetention {
  /** ms. */
  readonly unusedFor: number;
  readonly gaps: Gaps;
  readonly references: readonly JobReferencesOf[];
}

const ACTOR: Actor = { id: 'system:retention', role: 'admin' };

export function createJobSweep(options: {
  records: () => readonly JobRecord[];
  /** False: somebody else has removed it. */
  remove: (key: string, by: { actor: Actor; why: string }) => Promise<boolean>;
  retention: JobRetention;
  metrics: Pick<ControlMetrics, 'counted'>;
  clock: Clock;
  log: Log;
}): JobSweep {
  const { records, remove, retention, metrics, clock, log } = options;

  function look(): JobFate[] {
    const { unusedFor, gaps, references } = retention;
    const rules = { unusedFor, most: MAX_ENDED_JOBS };
    const ended = records().filter(({ state }) => isEnded(state));
    const ages = ended.toSorted((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0));
    return ages.map((record, newer) => {
      const heldBy = references.flatMap((of) => of(record));
      const seen = { endedAt: record.endedAt ?? 0, newer, heldBy, gaps };
      const fate = decideEndedJob(rules, seen, clock.now());
      return { key: jobKey(record.namespace, record.id), fate };
    });
  }

  async function removeSafely({ key, fate: { why } }: JobFate): Promise<boolean> {
    try {
      const isGone = await remove(key, { actor: ACTOR, why });
      if (isGone) metrics.counted('retention', 'job');
      return isGone;
    } catch (error) {
      log.error({ job: key, error: messageOf(error) }, 'nothing of a job is cleared away yet');
      return false;
    }
  }

  return {
    look,
    async sweep(namespace) {
      const prefix = keyPrefix(namespace);
      const gone: JobFate[] = [];
      for (const each of look()) {
        if (each.fate.keep || !each.key.startsWith(prefix)) continue;
        if (await removeSafely(each)) gone.push(each);
      }
      return gone;
    },
  };
}

/** A revision says which job has made it, also one that can be restored. */
export function createLineageReferences({
  catalog,
  deleted,
}: {
  catalog: Pick<Catalog, 'revision'>;
  deleted: Pick<DeletedBook, 'of'>;
}): JobReferencesOf {
  return (job) => {
    const revision = isProgram(job) ? job.report?.revision : undefined;
    const { model } = job.spec;
    if (revision === undefined || model === undefined) return [];
    const name = `revision ${revision} of model ${model}`;
    const stored = catalog.revision(revisionKey(job.namespace, model, revision));
    if (stored?.value.lineage?.job === job.id) return [`it has made ${name}`];
    const graves = deleted.of(modelKey(job.namespace, model));
    const isBuried = graves.some(({ jobs }) => jobs.includes(job.id));
    return isBuried ? [`it has made ${name}, which can be restored`] : [];
  };
}
