import { type BatchRecord, isProgram, type JobRecord, ownModelName } from '#domain/job.ts';
import type { RunProgress } from '#domain/job-run.ts';
import { modelKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Catalog } from '../records/catalog.ts';
import type { Journal } from '../records/journal.ts';
import type { Deletions } from '../retention/deletions.ts';
import type { Turns } from '../records/turns.ts';
import { makeJobEvent } from './book.ts';
import type { JobRunner } from './job-runner.ts';
import type { JobMetrics } from './metrics.ts';
import { makeOwnModel } from './own-model.ts';
import { type Places, sourceOf } from './places.ts';
import { makeProgress } from './progress.ts';
import { createRun } from './run.ts';
import { JOBS } from './state.ts';
import { createWaitNews, type Desk, type LiveWork, type Work } from './work.ts';

export interface BatchWorkOptions {
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'note'>;
  readonly metrics: Pick<JobMetrics, 'rows' | 'restarted'>;
  readonly deletions: Pick<Deletions, 'model'>;
  readonly alone: Turns;
  /** Absent: none can be run here. */
  readonly runner?: JobRunner | undefined;
  readonly places: Places;
  readonly clock: Clock;
  readonly log: Log;
}

/** Rows are scored by a runner, on instances of a model that belongs to the job. */
export function createBatchWork(options: BatchWorkOptions): Work<BatchRecord> {
  const { catalog, deletions, alone, runner, places, clock } = options;
  return {
    writesFor(record) {
      const source = catalog.revision(sourceOf(record))?.value;
      if (!source) throw new Fault('conflict', `revision ${record.revision} has gone`);
      if (!places.isOwn(record)) return [];
      return makeOwnModel(record, source, places.most(record), clock.now());
    },
    begin(record, desk) {
      if (!runner) throw new Fault('not_implemented', 'batch jobs cannot be run here');
      return begin(runner, record, desk, options);
    },
    async tidy(record) {
      const { namespace, id } = record;
      await alone(async () => {
        const entry = catalog.model(modelKey(namespace, ownModelName(id)));
        if (entry) await deletions.model(entry, { actor: JOBS, why: `job ${id} ended`, undo: 0 });
      });
      await runner?.clear(record);
    },
  };
}

function begin(
  runner: JobRunner,
  record: BatchRecord,
  desk: Desk,
  options: BatchWorkOptions,
): LiveWork {
  const { journal, metrics, places, clock, log } = options;
  const { namespace, id, spec, revision } = record;
  const order = places.orderOf(record, runner.folderOf(namespace, id));
  if (!order) throw new Fault('conflict', `model ${spec.model} has lost revision ${revision}`);
  let progress: RunProgress | undefined;
  let { instanceSeconds } = record;

  function restarted(how: string): void {
    metrics.restarted();
    const why = `${how}; it goes on from what is on disk`;
    journal.note(makeJobEvent(record, { type: 'JobRunnerEnded', why, actor: JOBS }, clock.now()));
  }

  const run = createRun({
    runner,
    order,
    slots: places.slots(record),
    events: {
      onProgress(news) {
        metrics.rows(record, progress?.rows ?? record.rows, news.rows);
        progress = news;
        desk.tell();
      },
      onDone: (report) =>
        void desk.happened({ kind: 'done', report: { ...report, instanceSeconds } }),
      onFailed: (why) => void desk.happened({ kind: 'failed', why }),
      onRestart: restarted,
    },
    clock,
    log,
  });

  function now(stored: JobRecord): JobRecord {
    if (isProgram(stored)) return stored;
    return { ...stored, rows: progress?.rows ?? stored.rows, instanceSeconds };
  }

  const waitsFor = (): string | undefined => run.waitsFor();
  const tellWaits = createWaitNews(waitsFor, desk);
  return {
    tick(seconds) {
      instanceSeconds += places.ready(record) * seconds;
      tellWaits();
    },
    now,
    waitsFor,
    progress: () => progress && makeProgress(progress, places.ready(record)),
    onRuntime: () => run.slots(places.slots(record)),
    close: () => run.close(),
  };
}
