import { isEnded, jobKey, type JobProgress, type JobRecord, jobSpec } from '#domain/job.ts';
import type { RunProgress } from '#domain/job-run.ts';
import { modelKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Stored, Store } from '#store/store.ts';
import type { Catalog } from '../catalog.ts';
import type { Journal } from '../journal.ts';
import type { ControlMetrics } from '../metrics.ts';
import type { Deletions } from '../retention/deletions.ts';
import type { Turns } from '../turns.ts';
import { loadJobBook } from './book.ts';
import type { JobRunner } from './job-runner.ts';
import { makeOwnModel, ownModelName } from './own-model.ts';
import { type Places, sourceOf } from './places.ts';
import { createRun, type Run } from './run.ts';
import { decideJob, type Happening, type JobChange, JOBS } from './state.ts';

/**
 * Has jobs run: looks each second, and when something has happened, what each has to have.
 *
 * 1. A record is written before the world is made what it says; whoever begins again makes it so.
 * 2. A job that is Running has a run, no other one does.
 * 3. The model of a job is written with its record, and goes when the job has ended, as its folder does.
 */
export interface Jobs {
  get(key: string): JobShown | undefined;
  all(): JobShown[];
  create(record: JobRecord, actor: Actor): Promise<void>;
  happened(key: string, happening: Happening): Promise<void>;
  /** Forgets one that has ended. */
  remove(key: string): Promise<void>;
  /** Calls back when something of it may have changed, until the signal. */
  watch(key: string, listener: () => void, signal: AbortSignal): void;
  /** An instance has come, changed or gone. */
  onRuntime(): void;
  close(): Promise<void>;
}

export interface JobShown extends Stored<'job'> {
  /** Absent: it does nothing now. */
  readonly progress?: JobProgress;
}

interface Live {
  readonly run: Run;
  progress: RunProgress | undefined;
  instanceSeconds: number;
  notedAt: number;
}

const TICK_MS = 1000;
/** Each has a runner of about a hundred megabytes, and they share the instances' memory. */
const MOST_RUNNING = 2;
/** How often the store is told how far a job is: it is shown when control has just started. */
const NOTE_MS = 10_000;
/** Records of jobs that have ended. */
const KEPT_MS = 30 * 24 * 60 * 60_000;
const MOST_KEPT = 1000;

export async function createJobs(options: {
  store: Store;
  catalog: Catalog;
  journal: Journal;
  metrics: Pick<ControlMetrics, 'jobRows' | 'jobRestarted' | 'followJobs'>;
  deletions: Pick<Deletions, 'model'>;
  alone: Turns;
  runner: JobRunner;
  places: Places;
  clock: Clock;
  log: Log;
}): Promise<Jobs> {
  const { catalog, journal, metrics, deletions, alone, runner, places, clock, log } = options;
  const book = await loadJobBook(options);
  const live = new Map<string, Live>();
  const watchers = new Map<string, Set<() => void>>();
  /** Ended, and nothing of it is left. */
  const clean = new Set<string>();
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError: logFailure });
  let tickedAt = clock.now();
  let closed = false;
  metrics.followJobs(() => book.all().map(({ value }) => value.state));

  function logFailure(error: unknown): void {
    log.error({ error: messageOf(error) }, 'a job could not be looked at');
  }

  function tell(key: string): void {
    for (const listener of watchers.get(key) ?? []) listener();
  }

  async function step(): Promise<void> {
    const now = clock.now();
    const seconds = (now - tickedAt) / 1000;
    tickedAt = now;
    for (const { key, value } of book.all()) {
      try {
        await settle(key, value, seconds);
      } catch (error) {
        logFailure(error);
      }
    }
    await beginNext();
    await forgetOld(now);
  }

  async function settle(key: string, record: JobRecord, seconds: number): Promise<void> {
    const one = live.get(key);
    if (isEnded(record.state)) return clean.has(key) ? undefined : await tidy(key, record);
    const { deadline } = jobSpec.parse(record.spec);
    if (deadline !== undefined && clock.now() > record.createdAt + deadline) {
      const why = `not done within its deadline of ${formatDuration(deadline)}`;
      return await happened(key, { kind: 'failed', why });
    }
    if (record.state !== 'Running') return await stop(key);
    if (!one) return start(key, record);
    one.instanceSeconds += places.ready(record) * seconds;
    if (clock.now() - one.notedAt < NOTE_MS) return;
    one.notedAt = clock.now();
    await alone(() => book.note(recordNow(key, record)));
  }

  function start(key: string, record: JobRecord): void {
    const order = places.orderOf(record, runner.folderOf(record.namespace, record.id));
    if (!order) {
      const why = `model ${record.spec.model} has lost revision ${record.revision}`;
      happened(key, { kind: 'failed', why }).catch(logFailure);
      return;
    }
    const run = createRun({
      runner,
      order,
      slots: places.slots(record),
      events: {
        onProgress: (progress) => follow(key, progress),
        onDone: (report) => {
          const instanceSeconds = live.get(key)?.instanceSeconds ?? record.instanceSeconds;
          void end(key, { kind: 'done', report: { ...report, instanceSeconds } });
        },
        onFailed: (why) => void end(key, { kind: 'failed', why }),
        onRestart: (how) => restarted(key, how),
      },
      clock,
      log,
    });
    const { instanceSeconds } = record;
    live.set(key, { run, progress: undefined, instanceSeconds, notedAt: clock.now() });
  }

  function follow(key: string, progress: RunProgress): void {
    const one = live.get(key);
    const record = book.get(key)?.value;
    if (!one || !record) return;
    const before = one.progress?.rows ?? record.rows;
    metrics.jobRows(record, before, progress.rows);
    one.progress = progress;
    tell(key);
  }

  function restarted(key: string, how: string): void {
    const record = book.get(key)?.value;
    if (!record) return;
    metrics.jobRestarted();
    const { namespace, spec, revision, id } = record;
    const why = `job ${id}: ${how}; it goes on from what is on disk`;
    const about = { namespace, model: spec.model, revision, at: clock.now() };
    journal.note({ ...about, type: 'JobRunnerEnded', why, actor: JOBS, data: { job: id } });
  }

  async function end(key: string, happening: Happening): Promise<void> {
    await happened(key, happening).catch(logFailure);
  }

  async function stop(key: string): Promise<void> {
    const one = live.get(key);
    live.delete(key);
    await one?.run.close();
  }

  /** It has ended: what was made for it goes. */
  async function tidy(key: string, record: JobRecord): Promise<void> {
    const { namespace, id } = record;
    await stop(key);
    await alone(async () => {
      const entry = catalog.model(modelKey(namespace, ownModelName(id)));
      if (entry) await deletions.model(entry, { actor: JOBS, why: `job ${id} ended`, undo: 0 });
    });
    await runner.clear(record);
    clean.add(key);
  }

  async function beginNext(): Promise<void> {
    const records = book.all().map(({ value }) => value);
    const running = records.filter(({ state }) => state === 'Running').length;
    const next = records
      .filter(({ state }) => state === 'Pending')
      .toSorted((a, b) => a.createdAt - b.createdAt)
      .slice(0, Math.max(0, MOST_RUNNING - running));
    for (const { namespace, id } of next) {
      await happened(jobKey(namespace, id), { kind: 'begun' });
    }
  }

  async function forgetOld(now: number): Promise<void> {
    const ended = book
      .all()
      .filter(({ key }) => clean.has(key))
      .toSorted((a, b) => (b.value.endedAt ?? 0) - (a.value.endedAt ?? 0));
    for (const [index, { key, value }] of ended.entries()) {
      if (index >= MOST_KEPT || now - (value.endedAt ?? now) > KEPT_MS) await forget(key);
    }
  }

  async function forget(key: string): Promise<void> {
    await alone(() => book.remove(key));
    clean.delete(key);
    tell(key);
  }

  function recordNow(key: string, record: JobRecord): JobRecord {
    const one = live.get(key);
    if (!one || isEnded(record.state)) return record;
    const { progress, instanceSeconds } = one;
    return { ...record, rows: progress?.rows ?? record.rows, instanceSeconds };
  }

  async function happened(key: string, happening: Happening): Promise<void> {
    if (closed) return;
    await alone(async () => {
      const stored = book.get(key);
      if (!stored) return;
      const change = decideJob(recordNow(key, stored.value), happening, clock.now());
      if (change) await book.commit(change);
    });
    tell(key);
    loop.ask();
  }

  function shown(stored: Stored<'job'>): JobShown {
    const { key, value } = stored;
    const progress = value.state === 'Running' ? live.get(key)?.progress : undefined;
    const now = { ...stored, value: recordNow(key, value) };
    if (!progress) return now;
    const { rows, rowsPerSecond, batchSize } = progress;
    const left = rows.total === undefined ? undefined : rows.total - rows.done;
    const eta = left === undefined || rowsPerSecond <= 0 ? undefined : left / rowsPerSecond;
    const about = { rowsPerSecond, batchSize, instances: places.ready(value) };
    return { ...now, progress: { ...about, ...(eta !== undefined && { etaSeconds: eta }) } };
  }

  return {
    get(key) {
      const stored = book.get(key);
      return stored && shown(stored);
    },
    all: () => book.all().map(shown),
    async create(record, actor) {
      const source = catalog.revision(sourceOf(record))?.value;
      if (!source) throw new Fault('conflict', `revision ${record.revision} has gone`);
      const writes = places.isOwn(record)
        ? makeOwnModel(record, source, places.most(record), clock.now())
        : [];
      const why = `made by ${actor.id}: ${record.spec.input.location}`;
      const change: JobChange = { record, type: 'JobCreated', why, actor };
      await book.commit(change, writes);
      loop.ask();
    },
    happened,
    async remove(key) {
      const stored = book.get(key);
      if (!stored) return;
      if (!isEnded(stored.value.state)) {
        throw new Fault('conflict', `job ${stored.value.id} is ${stored.value.state}: cancel it`);
      }
      if (!clean.has(key)) await tidy(key, stored.value);
      await forget(key);
    },
    watch(key, listener, signal) {
      const own = watchers.get(key) ?? new Set();
      watchers.set(key, own.add(listener));
      signal.addEventListener('abort', () => own.delete(listener), { once: true });
    },
    onRuntime() {
      for (const [key, { run }] of live) {
        const record = book.get(key)?.value;
        if (record) run.slots(places.slots(record));
      }
    },
    async close() {
      closed = true;
      await loop.close();
      await Promise.all([...live.keys()].map(stop));
    },
  };
}
