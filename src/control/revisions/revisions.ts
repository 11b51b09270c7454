import { revisionKey } from '#domain/names.ts';
import type { RevisionRecord } from '#domain/records.ts';
import { messageOf } from '#lib/fault.ts';
import type { RuntimeEvent } from '#runtime/runtime.ts';
import type { ModelEntry } from '../records/catalog.ts';
import { type PrepareOptions, prepareRevision } from './prepare.ts';
import { createProofs } from './proof.ts';
import { isSuperseded } from '../revision-update.ts';
import { abortable, wait } from '../wait.ts';

/**
 * Brings revisions from Preparing over Proving to Ready or Failed.
 *
 * Invariants:
 * 1. Each revision is worked on by one job at a time. At most `PREPARING_AT_ONCE` jobs prepare or wait for
 *    their turn to prove, and at most `atOnce` prove; a proof that only waits, for memory or for the cluster,
 *    does not count, so that it holds up nobody.
 * 2. A job may end at any point and begin again: all that counts is in the store, every step is repeatable.
 * 3. A job that belongs to a revision which was deleted, or made anew under its name, changes nothing.
 */
export interface RevisionLoop {
  /** Looks which revisions of a model have work to do. */
  refresh(model: string): void;
  onRuntime(event: RuntimeEvent): void;
  /** Not even one instance fits into the memory. */
  onImpossible(revision: string, why: string): void;
  close(): Promise<void>;
}

/** Before work is begun again that ended for a reason which is not the revision's. */
const PAUSE_MS = 5000;
/**
 * Preparing is waiting, mostly: for the network, for a tool. What is heavy in it the runtime limits itself. So
 * many that a few builds that hang stop nobody, so few that sockets and memory last.
 */
const PREPARING_AT_ONCE = 64;

interface Job {
  readonly record: RevisionRecord;
  readonly stop: AbortController;
  done: Promise<void>;
  phase: 'preparing' | 'prepared' | 'proving';
  /** It may be proven. */
  readonly turn: PromiseWithResolvers<void>;
}

export function createRevisionLoop(
  options: PrepareOptions & {
    atOnce: number;
    /** What keeps its instances from being started. */
    waitsFor: (revision: string) => string | undefined;
  },
): RevisionLoop {
  const { catalog, clock, log, runtime, waitsFor, atOnce } = options;
  const waiting = new Set<string>();
  const jobs = new Map<string, Job>();
  const proofs = createProofs({ ...options, onWaiting: pump });
  let closed = false;

  function pump(): void {
    admit();
    for (const key of waiting) {
      if (closed || countPreparing() >= PREPARING_AT_ONCE) return;
      const record = catalog.revision(key)?.value;
      // What is left of a deleted revision of this name goes first: see `onRuntime`.
      if (record && !isOver(record) && isClear(key, record)) begin(key, record);
      else if (!record || isOver(record)) waiting.delete(key);
    }
  }

  /** Gives those that are prepared their turn, in the order in which they were begun. */
  function admit(): void {
    for (const job of jobs.values()) {
      if (job.phase !== 'prepared') continue;
      if (closed || countProving() >= atOnce) return;
      job.phase = 'proving';
      job.turn.resolve();
    }
  }

  function countPreparing(): number {
    let count = 0;
    for (const { phase } of jobs.values()) if (phase !== 'proving') count++;
    return count;
  }

  function countProving(): number {
    let count = 0;
    for (const [key, { phase }] of jobs) {
      if (phase === 'proving' && waitsFor(key) === undefined) count++;
    }
    return count;
  }

  function isClear(key: string, record: RevisionRecord): boolean {
    if (jobs.has(key)) return false;
    return runtime.instances(key).every((instance) => instance.askedAt >= record.createdAt);
  }

  function begin(key: string, record: RevisionRecord): void {
    waiting.delete(key);
    const job: Job = {
      record,
      stop: new AbortController(),
      done: Promise.resolve(),
      phase: 'preparing',
      turn: Promise.withResolvers<void>(),
    };
    jobs.set(key, job);
    job.done = run(key, job).finally(() => {
      jobs.delete(key);
      const now = catalog.revision(key)?.value;
      if (now && !isOver(now)) waiting.add(key);
      pump();
    });
  }

  async function run(key: string, job: Job): Promise<void> {
    const { record } = job;
    const { signal } = job.stop;
    const identity = { key, createdAt: record.createdAt, digest: record.digest };
    try {
      const prepared = await prepareRevision(options, identity, record, signal);
      if (!prepared) return;
      job.phase = 'prepared';
      pump();
      await abortable(job.turn.promise, signal);
      await proofs.prove(identity, prepared, signal);
    } catch (error) {
      if (signal.aborted) return;
      // Most likely the store is away or full. The job begins again, but not at once.
      const message = messageOf(error);
      if (!isSuperseded(error)) log.error({ revision: key, error: message }, 'proving is put off');
      await wait(clock, PAUSE_MS, signal).catch(() => undefined);
    }
  }

  function abortStale(entry: ModelEntry | undefined, key: string): void {
    const job = jobs.get(key);
    const name = key.slice(key.lastIndexOf('/') + 1);
    const now = entry?.revisions.get(name)?.value;
    if (job && now?.createdAt !== job.record.createdAt) job.stop.abort();
  }

  return {
    refresh(model) {
      const entry = catalog.model(model);
      for (const key of jobs.keys()) {
        if (!key.startsWith(`${model}/`)) continue;
        abortStale(entry, key);
        proofs.refresh(key);
      }
      for (const [name, { value }] of entry?.revisions ?? []) {
        const key = revisionKey(value.namespace, value.model, name);
        if (!isOver(value) && !jobs.has(key)) waiting.add(key);
      }
      pump();
    },
    onRuntime(event) {
      proofs.onRuntime(event);
      if (event.type !== 'instance' || event.instance.waitingFor !== undefined) pump();
    },
    onImpossible: (revision, why) => proofs.onImpossible(revision, why),
    async close() {
      closed = true;
      for (const { stop } of jobs.values()) stop.abort();
      await Promise.all([...jobs.values()].map((job) => job.done));
    },
  };
}

function isOver({ state }: RevisionRecord): boolean {
  return state === 'Ready' || state === 'Failed';
}
