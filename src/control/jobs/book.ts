import type { Clock } from '#lib/clock.ts';
import { jobKey, type JobRecord } from '#domain/job.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Journal } from '../journal.ts';
import { rowsOf } from '../pages.ts';
import type { JobChange } from './state.ts';

/** The records of jobs. What is shown was acknowledged by the store. */
export interface JobBook {
  get(key: string): Stored<'job'> | undefined;
  all(): Stored<'job'>[];
  /** All or nothing with `writes` and the event of the change. */
  commit(change: JobChange, writes?: readonly Write[]): Promise<void>;
  /** Of what it did so far; nothing that anybody has to be told of. */
  note(record: JobRecord): Promise<void>;
  remove(key: string): Promise<void>;
}

export async function loadJobBook(options: {
  store: Store;
  journal: Journal;
  clock: Clock;
}): Promise<JobBook> {
  const { store, journal, clock } = options;
  const known = new Map<string, Stored<'job'>>();
  for await (const row of rowsOf(store, 'job')) known.set(row.key, row);

  async function put(
    record: JobRecord,
    writes: readonly Write[],
    events: Parameters<Journal['commit']>[1],
  ): Promise<void> {
    const key = jobKey(record.namespace, record.id);
    const expected = known.get(key)?.version ?? 0;
    const write: Write = { kind: 'job', key, expected, value: record };
    const [version = 0] = await journal.commit([write, ...writes], events);
    known.set(key, { kind: 'job', key, version, value: record });
  }

  return {
    get: (key) => known.get(key),
    all: () => [...known.values()],
    async commit({ record, type, why, actor }, writes = []) {
      const { namespace, revision, spec, id } = record;
      const about = { namespace, model: spec.model, revision, at: clock.now() };
      const event = { ...about, type, why: `job ${id}: ${why}`, actor, data: { job: id } };
      await put(record, writes, [event]);
    },
    note: (record) => put(record, [], []),
    async remove(key) {
      const stored = known.get(key);
      if (!stored) return;
      await journal.commit([{ kind: 'job', key, expected: stored.version, value: undefined }], []);
      known.delete(key);
    },
  };
}
