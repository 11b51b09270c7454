import { isProgram, type ProgramRecord } from '#domain/job.ts';
import { makeMeasureRecord, type Scores } from '#domain/measures.ts';
import { programSpec } from '#domain/program-job.ts';
import { DAY_MS } from '#domain/units.ts';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { NewMeasure, Store } from '#store/store.ts';
import type { Catalog } from '../records/catalog.ts';
import { wait } from '../wait.ts';
import type { JobMetrics } from './metrics.ts';
import { findParent, planRevision } from './next-revision.ts';
import type { ProgramOrder, ProgramResult, ProgramRun, ProgramRunner } from './program-runner.ts';
import { createWaitNews, type Deciding, type Desk, type LiveWork, type Work } from './work.ts';

export interface ProgramWorkOptions {
  readonly store: Pick<Store, 'addMeasures'>;
  readonly catalog: Catalog;
  readonly metrics: Pick<JobMetrics, 'programEnded'>;
  /** Absent: none can be run here. */
  readonly programs?: ProgramRunner | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/** A program is run to its end, and what it leaves becomes a revision in the write that ends the job. */
export function createProgramWork(options: ProgramWorkOptions): Work<ProgramRecord> {
  const { programs, store, clock, log } = options;
  return {
    writesFor: () => [],
    begin(_record, desk) {
      if (!programs) throw new Fault('not_implemented', 'programs cannot be run here');
      return begin(programs, desk, options);
    },
    async tidy(record) {
      await programs?.clear(record);
      const rows = makeMeasures(record, clock.now());
      if (rows.length === 0) return;
      try {
        await store.addMeasures(rows);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'conflict') throw error;
        log.warn({ job: record.id, error: error.message }, 'what a job measured is not counted');
      }
    },
  };
}

/**
 * 1. An attempt is counted before it begins, so that one that ends with Rouse is known of. One that has outlived Rouse is
 *    no other one.
 * 2. A result that cannot be stored is tried again until it is: the program is not.
 */
function begin(programs: ProgramRunner, desk: Desk, options: ProgramWorkOptions): LiveWork {
  const { catalog, metrics, clock, log } = options;
  const closing = new AbortController();
  let run: ProgramRun | undefined;
  const waitsFor = (): string | undefined => run?.waitsFor?.();

  async function store(what: Parameters<Desk['happened']>[0]): Promise<void> {
    for (let failures = 1; !(await desk.happened(what)); failures++) await pause(failures);
  }

  async function pause(failures: number): Promise<void> {
    await wait(clock, backoffMs(failures, FIRST_RETRY_MS, LONGEST_RETRY_MS), closing.signal);
  }

  /** Undefined: it does not run any more. */
  function present(): ProgramRecord | undefined {
    const record = desk.record();
    const isPresent = record?.state === 'Running' && !closing.signal.aborted;
    return isPresent && isProgram(record) ? record : undefined;
  }

  async function follow(begin: (order: ProgramOrder) => ProgramRun): Promise<void> {
    const record = present();
    if (!record) return;
    run = begin(makeOrder(catalog, record));
    const end = await run.ended;
    if (closing.signal.aborted) return;
    metrics.programEnded(end.kind);
    if (end.kind === 'done') await store(() => finish(catalog, record, end.result, clock.now()));
    else if (end.kind === 'failed') await store({ kind: 'attemptFailed', why: end.why });
    if (present()) await pause(record.failures + 1);
  }

  async function drive(): Promise<void> {
    try {
      const { resume } = programs;
      if (resume && (present()?.attempts ?? 0) > 0) await follow(resume);
      while (present()) {
        await store({ kind: 'attempt' });
        await follow((order) => programs.start(order));
      }
    } catch (error) {
      if (closing.signal.aborted) return;
      if (!(error instanceof Fault)) {
        log.error({ error: messageOf(error) }, 'the program of a job cannot be run');
      }
      await store({ kind: 'failed', why: messageOf(error) });
    }
  }

  const driven = drive().catch((error: unknown) => {
    if (!closing.signal.aborted) log.error({ error: messageOf(error) }, 'a job is left');
  });
  return {
    tick: createWaitNews(waitsFor, desk),
    now: (record) => record,
    progress: () => undefined,
    waitsFor,
    onRuntime: () => {},
    async close() {
      closing.abort();
      // Its job has not ended: it is Rouse that does.
      if (desk.record()?.state === 'Running') await run?.leave();
      else await run?.end();
      await driven;
    },
  };
}

/** Throws Fault `conflict` where its model cannot have a next revision. */
export function makeOrder(catalog: Catalog, record: ProgramRecord): ProgramOrder {
  const { namespace, id } = record;
  const order = { namespace, id, attempt: record.attempts, spec: programSpec.parse(record.spec) };
  if (record.spec.model === undefined) return order;
  const { parent, artifact } = findParent(catalog, record);
  return { ...order, parent: { revision: parent.name, artifact } };
}

/** In the turn in which it is written: the model may have changed since the program began. */
function finish(
  catalog: Catalog,
  record: ProgramRecord,
  result: ProgramResult,
  now: number,
): ReturnType<Deciding> {
  try {
    const { report, writes, events } = planRevision(catalog, record, result, now);
    return { happening: { kind: 'made', report }, writes, events };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const why = `what it left cannot be a revision: ${error.message}`;
    return { happening: { kind: 'failed', why }, writes: [], events: [] };
  }
}

/**
 * What it measured, for the policies that judge revisions. It counts once, however often it is told of: the store
 * remembers ids for a week.
 */
function makeMeasures(record: ProgramRecord, now: number): NewMeasure[] {
  const { namespace, id, spec, parent, report, endedAt = 0 } = record;
  if (!report?.isNew || spec.model === undefined || now - endedAt > DAY_MS) return [];
  const owner = { namespace, model: spec.model };
  const rowsOf = (revision: string | undefined, scores: Scores): NewMeasure[] =>
    Object.entries(scores).map(([name, score]) =>
      Object.assign(makeMeasureRecord(owner, { ...score, name, revision }, endedAt), {
        id: `job ${id}`,
      }),
    );
  return [...rowsOf(report.revision, report.metrics), ...rowsOf(parent, report.parent)];
}
