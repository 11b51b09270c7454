import {
  isEnded,
  isProgram,
  jobKey,
  type JobProgress,
  type JobRecord,
  jobSpec,
  type ProgramRecord,
} from '#domain/job.ts';
import type { Actor } from '#domain/records.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Stored, Store } from '#store/store.ts';
import type { ModelEntry } from '../records/catalog.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import type { ControlMetrics } from '../metrics.ts';
import type { Reference } from '../records/references.ts';
import { pushedFor } from '../records/source.ts';
import { createSeats, type Turns } from '../records/turns.ts';
import { type BatchWorkOptions, createBatchWork } from './batch-work.ts';
import { loadJobBook } from './book.ts';
import { createJobMetrics } from './metrics.ts';
import { createProgramWork, type ProgramWorkOptions } from './program-work.ts';
import { decideJob, type Happening, type JobChange } from './state.ts';
import { createJobSweep, type JobRetention, type JobSweep } from './sweep.ts';
import type { Deciding, Desk, LiveWork } from './work.ts';

/**
 * Has jobs run: looks each second, and when something has happened, what each has to have.
 *
 * 1. A record is written before the world is made what it says; whoever begins again makes it so.
 * 2. Of a job that is Running there is a live work, of no other one.
 * 3. What was made for a job is written with its record, and goes when the job has ended, as its folder does.
 * 4. What takes long to end holds up its own job only. Of a former life a few at a time are cleared away.
 */
export interface Jobs {
  get(key: string): JobShown | undefined;
  all(): JobShown[];
  create(record: JobRecord, actor: Actor): Promise<void>;
  happened(key: string, happening: Happening): Promise<void>;
  /** Forgets one that has ended. False: it is not there. Fault `conflict` where it has not ended. */
  remove(key: string, by: Pick<NewEvent, 'why' | 'actor'>): Promise<boolean>;
  /** What goes by itself, and what stays. */
  readonly sweep: JobSweep;
  /** Calls back when something of it may have changed, until the signal. */
  watch(key: string, listener: () => void, signal: AbortSignal): void;
  /** An instance has come, changed or gone. */
  onRuntime(): void;
  /** Revisions that jobs need which have not ended. */
  referencesOf(entry: ModelEntry): Reference[];
  /** Digests of content that they need. */
  inUse(): string[];
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export interface JobShown extends Stored<'job'> {
  /** Absent: it does nothing now. */
  readonly progress?: JobProgress;
}

interface Live {
  readonly work: LiveWork;
  notedAt: number;
}

const TICK_MS = 1000;
/** Each has a runner of about a hundred megabytes or a program, and they share the instances' memory. */
const MOST_RUNNING = 2;
/** How often the store is told how far a job is: it is shown when control has just started. */
const NOTE_MS = 10_000;
/** How often those that have ended are looked at. */
const SWEEP_MS = 10_000;
/** That are looked after at a time, of all that had ended when control began, or could not be cleared away at once. */
const MOST_LEFT = 4;
/** No key of a job. */
const SWEEP = 'sweep';
/** Characters of what a job does, in its first event. */
const MOST_TOLD = 4096;

export async function createJobs(
  options: Omit<BatchWorkOptions & ProgramWorkOptions, 'metrics'> & {
    store: Store;
    journal: Journal;
    metrics: Pick<ControlMetrics, 'counted'>;
    retention: JobRetention;
    alone: Turns;
    clock: Clock;
    log: Log;
  },
): Promise<Jobs> {
  const { alone, clock, log } = options;
  const book = await loadJobBook(options);
  const metrics = createJobMetrics(() => book.all().map(({ value }) => value.state));
  const batches = createBatchWork({ ...options, metrics });
  const programs = createProgramWork({ ...options, metrics });
  const live = new Map<string, Live>();
  const watchers = new Map<string, Set<() => void>>();
  /** What the loop does not wait for, by the job that it is about, or `SWEEP`. */
  const beside = new Map<string, Promise<void>>();
  const left = createSeats(MOST_LEFT);
  /** Ended, and nothing of it is left. */
  const clean = new Set<string>();
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError: logFailure });
  const sweep = createJobSweep({
    ...options,
    records: () => book.all().map(({ value }) => value),
    remove,
  });
  let tickedAt = clock.now();
  let sweptAt = clock.now();
  let closed = false;

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
    if (now - sweptAt < SWEEP_MS) return;
    sweptAt = now;
    begin(SWEEP, () => sweep.sweep());
  }

  async function settle(key: string, record: JobRecord, seconds: number): Promise<void> {
    if (beside.has(key)) return;
    const one = live.get(key);
    if (isEnded(record.state)) {
      if (!clean.has(key)) begin(key, () => (one ? tidy(key, record) : tidyLeft(key, record)));
      return;
    }
    const { deadline } = jobSpec.parse(record.spec);
    if (deadline !== undefined && clock.now() > record.createdAt + deadline) {
      const why = `not done within its deadline of ${formatDuration(deadline)}`;
      return await happened(key, { kind: 'failed', why });
    }
    if (record.state !== 'Running') {
      if (one) begin(key, () => stop(key));
      return;
    }
    if (!one) return await start(key, record);
    one.work.tick(seconds);
    if (clock.now() - one.notedAt < NOTE_MS) return;
    one.notedAt = clock.now();
    await alone(() => note(key));
  }

  /** As it is when it is its turn: it may have ended since it was looked at. */
  async function note(key: string): Promise<void> {
    const stored = book.get(key);
    if (!stored) return;
    const now = recordNow(key, stored.value);
    if (now !== stored.value) await book.note(now);
  }

  async function start(key: string, record: JobRecord): Promise<void> {
    try {
      live.set(key, { work: makeWork(record, deskOf(key)), notedAt: clock.now() });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      await happened(key, { kind: 'failed', why: error.message });
    }
  }

  function makeWork(record: JobRecord, desk: Desk): LiveWork {
    return isProgram(record) ? programs.begin(record, desk) : batches.begin(record, desk);
  }

  function deskOf(key: string): Desk {
    return {
      record: () => book.get(key)?.value,
      async happened(happening) {
        try {
          await happened(key, happening);
          return !closed;
        } catch (error) {
          logFailure(error);
          return false;
        }
      },
      tell: () => tell(key),
    };
  }

  function begin(key: string, work: () => Promise<unknown>): void {
    if (!beside.has(key)) beside.set(key, finish(key, work));
  }

  /** What it is about is looked at again when it is done; where it has failed, with the next look. */
  async function finish(key: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      logFailure(error);
      return;
    } finally {
      beside.delete(key);
    }
    loop.ask();
  }

  async function stop(key: string): Promise<void> {
    const one = live.get(key);
    live.delete(key);
    await one?.work.close();
  }

  /** It has ended: what was made for it goes. */
  async function tidy(key: string, record: JobRecord): Promise<void> {
    await stop(key);
    await (isProgram(record) ? programs.tidy(record) : batches.tidy(record));
    clean.add(key);
  }

  async function tidyLeft(key: string, record: JobRecord): Promise<void> {
    await left(async () => {
      if (!closed) await tidy(key, record);
    });
  }

  function open(): ProgramRecord[] {
    const records = book.all().map(({ value }) => value);
    return records.filter(isProgram).filter(({ state }) => !isEnded(state));
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

  async function remove(key: string, by: Pick<NewEvent, 'why' | 'actor'>): Promise<boolean> {
    const stored = book.get(key);
    if (!stored) return false;
    if (!isEnded(stored.value.state)) {
      throw new Fault('conflict', `job ${stored.value.id} is ${stored.value.state}: cancel it`);
    }
    await beside.get(key);
    if (!clean.has(key)) await tidy(key, stored.value);
    const isGone = await alone(() => book.remove(key, by));
    clean.delete(key);
    tell(key);
    return isGone;
  }

  function recordNow(key: string, record: JobRecord): JobRecord {
    const one = live.get(key);
    return !one || isEnded(record.state) ? record : one.work.now(record);
  }

  async function happened(key: string, what: Happening | Deciding): Promise<void> {
    if (closed) return;
    await alone(async () => {
      const stored = book.get(key);
      if (!stored) return;
      const { happening, writes, events } =
        typeof what === 'function' ? what() : { happening: what, writes: [], events: [] };
      const change = decideJob(recordNow(key, stored.value), happening, clock.now());
      if (change) await book.commit(change, writes, events);
    });
    tell(key);
    loop.ask();
  }

  function shown(stored: Stored<'job'>): JobShown {
    const { key, value } = stored;
    const work = value.state === 'Running' ? live.get(key)?.work : undefined;
    const [progress, reason] = [work?.progress(), work?.waitsFor()];
    const now = recordNow(key, value);
    return {
      ...stored,
      value: reason === undefined ? now : { ...now, reason },
      ...(progress && { progress }),
    };
  }

  return {
    get(key) {
      const stored = book.get(key);
      return stored && shown(stored);
    },
    all: () => book.all().map(shown),
    async create(record, actor) {
      const writes = isProgram(record) ? programs.writesFor(record) : batches.writesFor(record);
      const why = `made by ${actor.id}: ${summaryOf(record).slice(0, MOST_TOLD)}`;
      const change: JobChange = { record, type: 'JobCreated', why, actor };
      await book.commit(change, writes);
      loop.ask();
    },
    happened,
    remove,
    sweep,
    watch(key, listener, signal) {
      const own = watchers.get(key) ?? new Set();
      watchers.set(key, own.add(listener));
      signal.addEventListener('abort', () => own.delete(listener), { once: true });
    },
    onRuntime() {
      for (const { work } of live.values()) work.onRuntime();
    },
    referencesOf: (entry) => open().flatMap((record) => referencesOf(record, entry)),
    inUse: () => [...open().flatMap(digestsOf), ...(options.programs?.inUse() ?? [])],
    metrics: () => metrics.text(),
    async close() {
      closed = true;
      await loop.close();
      await Promise.all([...beside.values(), ...[...live.keys()].map(stop)]);
    },
  };
}

function referencesOf(
  { id, namespace, spec, parent }: ProgramRecord,
  entry: ModelEntry,
): Reference[] {
  const isOfIt = namespace === entry.namespace && spec.model === entry.name;
  if (!isOfIt || parent === undefined) return [];
  return [{ revision: parent, why: `job ${id} makes the next one of it` }];
}

function digestsOf({ spec }: ProgramRecord): string[] {
  return pushedFor(spec).map(({ digest }) => digest);
}

function summaryOf(record: JobRecord): string {
  if (!isProgram(record)) return record.spec.input.location;
  const { args = [], source = '' } = record.spec;
  return args.length > 0 ? args.join(' ') : source;
}
