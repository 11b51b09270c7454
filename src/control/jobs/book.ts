import type { Clock } from '#lib/clock.ts';
import { isProgram, jobKey, type JobRecord, subjectOf } from '#domain/job.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import { rowsOf } from '../records/pages.ts';
import type { JobChange } from './state.ts';

/** The records of jobs. What is shown was acknowledged by the store. */
export interface JobBook {
  get(key: string): Stored<'job'> | undefined;
  all(): Stored<'job'>[];
  /** All or nothing with the event of the change, and with the writes and events that belong to it. */
  commit(change: JobChange, writes?: readonly Write[], events?: readonly NewEvent[]): Promise<void>;
  /** Of what it did so far; nothing that anybody has to be told of. */
  note(record: JobRecord): Promise<void>;
  /** With its event. False: it is not there any more. */
  remove(key: string, by: Pick<NewEvent, 'why' | 'actor'>): Promise<boolean>;
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
    events: readonly NewEvent[],
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
    async commit({ record, type, why, actor }, writes = [], events = []) {
      const own =
        type === undefined ? [] : [makeJobEvent(record, { type, why, actor }, clock.now())];
      await put(record, writes, [...own, ...events]);
    },
    note: (record) => put(record, [], []),
    async remove(key, by) {
      const stored = known.get(key);
      if (!stored) return false;
      const write: Write = { kind: 'job', key, expected: stored.version, value: undefined };
      const event = makeJobEvent(stored.value, { type: 'JobDeleted', ...by }, clock.now());
      await journal.commit([write], [event]);
      known.delete(key);
      return true;
    },
  };
}

export function makeJobEvent(
  record: JobRecord,
  { type, why, actor }: Pick<NewEvent, 'type' | 'why' | 'actor'>,
  at: number,
): NewEvent {
  const { namespace, id } = record;
  const revision = isProgram(record) ? record.parent : record.revision;
  const about = { at, namespace, model: subjectOf(record), ...(revision && { revision }) };
  return { ...about, type, why: `job ${id}: ${why}`, actor, data: { job: id } };
}
