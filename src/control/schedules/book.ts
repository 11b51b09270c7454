import { partsOfModelKey } from '#domain/names.ts';
import {
  type ScheduleRecord,
  scheduleDocument,
  scheduleKey,
  type ScheduleSpec,
  taskOf,
} from '#domain/schedule.ts';
import { hasEnded, runKey, type ScheduleRun } from '#domain/schedule-run.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import { rowsOf } from '../records/pages.ts';
import type { JobReferencesOf, Reference, ReferencesOf } from '../records/references.ts';
import { pushedFor } from '../records/source.ts';

/** A schedule with what its document comes to. */
export interface KnownSchedule extends Stored<'schedule'> {
  readonly namespace: string;
  readonly name: string;
  readonly spec: ScheduleSpec;
}

/** What is written at once: a schedule, and runs of it. */
export interface ScheduleChange {
  /** `namespace/schedule`. */
  readonly key: string;
  readonly schedule?: ScheduleRecord;
  readonly runs?: readonly ScheduleRun[];
}

/**
 * The records of schedules and of their runs. What is shown was acknowledged by the store.
 *
 * 1. Each write names the version that was read: a run that is there is not written as a new one.
 * 2. Of a schedule no more runs are kept that have ended than its `history` says, the newest.
 */
export interface ScheduleBook {
  get(key: string): KnownSchedule | undefined;
  all(): KnownSchedule[];
  /** Of one schedule, oldest first. */
  runs(key: string): ScheduleRun[];
  /** Of all, those that have not ended; each as it is when it is its turn. */
  active(): Iterable<ScheduleRun>;
  commit(change: ScheduleChange, events: readonly NewEvent[]): Promise<void>;
  /** With all its runs. */
  remove(key: string, events: readonly NewEvent[]): Promise<void>;
  /** Models that schedules name are needed, however seldom they are asked. */
  readonly referencesOf: ReferencesOf;
  /** So are the jobs of the runs that it shows. */
  readonly jobReferencesOf: JobReferencesOf;
  /** Digests of what was pushed for programs: it is needed between their runs, too. */
  inUse(): string[];
}

export async function loadScheduleBook(options: {
  store: Store;
  journal: Journal;
}): Promise<ScheduleBook> {
  const { store, journal } = options;
  const known = new Map<string, KnownSchedule>();
  /** By key of the schedule, then of the run. */
  const runs = new Map<string, Map<string, Stored<'scheduleRun'>>>();
  const active = new Map<string, ScheduleRun>();
  for await (const row of rowsOf(store, 'schedule')) take(row.key, row.version, row.value);
  for await (const row of rowsOf(store, 'scheduleRun')) takeRun(row.version, row.value);

  function take(key: string, version: number, value: ScheduleRecord): void {
    const { namespace, model: name } = partsOfModelKey(key);
    const { spec } = scheduleDocument.parse(value.document);
    known.set(key, { kind: 'schedule', key, version, value, namespace, name, spec });
  }

  function takeRun(version: number, value: ScheduleRun): void {
    const key = runKey(value);
    const owner = scheduleKey(value.namespace, value.schedule);
    const own = runs.get(owner) ?? new Map<string, Stored<'scheduleRun'>>();
    runs.set(owner, own.set(key, { kind: 'scheduleRun', key, version, value }));
    if (hasEnded(value)) active.delete(key);
    else active.set(key, value);
  }

  function rowsOfSchedule(key: string): Stored<'scheduleRun'>[] {
    const rows = [...(runs.get(key)?.values() ?? [])];
    return rows.toSorted((a, b) => a.value.scheduledAt - b.value.scheduledAt);
  }

  /** Of those that have ended, what is more than its history. */
  function surplusOf({ key, schedule, runs: written = [] }: ScheduleChange): Write[] {
    const changed = new Set(written.map(runKey));
    const old = rowsOfSchedule(key).filter((row) => !changed.has(row.key) && hasEnded(row.value));
    const spec = schedule ? scheduleDocument.parse(schedule.document).spec : known.get(key)?.spec;
    const surplus = old.length + written.filter(hasEnded).length - (spec?.history ?? 0);
    return old.slice(0, Math.max(0, surplus)).map(makeRemoval);
  }

  function versionOf(key: string, owner: string): number {
    return runs.get(owner)?.get(key)?.version ?? 0;
  }

  return {
    get: (key) => known.get(key),
    all: () => [...known.values()],
    runs: (key) => rowsOfSchedule(key).map(({ value }) => value),
    active: () => active.values(),
    async commit(change, events) {
      const { key, schedule, runs: written = [] } = change;
      const runWrites = written.map((value) => {
        const of = runKey(value);
        return { kind: 'scheduleRun', key: of, expected: versionOf(of, key), value } as const;
      });
      const expected = known.get(key)?.version ?? 0;
      const writes: Write[] = schedule
        ? [{ kind: 'schedule', key, expected, value: schedule }]
        : [];
      const removals = surplusOf(change);
      const versions = await journal.commit([...runWrites, ...writes, ...removals], events);
      for (const [index, value] of written.entries()) takeRun(versions[index] ?? 0, value);
      if (schedule) take(key, versions[written.length] ?? 0, schedule);
      for (const removal of removals) runs.get(key)?.delete(removal.key);
    },
    async remove(key, events) {
      const expected = known.get(key)?.version ?? 0;
      const own = rowsOfSchedule(key).map(makeRemoval);
      const write: Write = { kind: 'schedule', key, expected, value: undefined };
      await journal.commit([write, ...own], events);
      known.delete(key);
      for (const run of runs.get(key)?.keys() ?? []) active.delete(run);
      runs.delete(key);
    },
    referencesOf: ({ namespace, name }) =>
      [...known.values()].flatMap((one) => referenceOf(one, namespace, name)),
    jobReferencesOf: ({ namespace, id }) =>
      [...known.values()].flatMap(({ key, name: schedule }) =>
        runs.get(key)?.has(runKey({ namespace, schedule, id }))
          ? [`it is a run of schedule ${schedule}`]
          : [],
      ),
    inUse: () => [...known.values()].flatMap(digestsOf),
  };
}

function makeRemoval({ key, version }: Stored<'scheduleRun'>): Write {
  return { kind: 'scheduleRun', key, expected: version, value: undefined };
}

function digestsOf({ spec: { program } }: KnownSchedule): string[] {
  return program ? pushedFor(program).map(({ digest }) => digest) : [];
}

function referenceOf(schedule: KnownSchedule, namespace: string, model: string): Reference[] {
  const task = taskOf(schedule.spec);
  if (schedule.namespace !== namespace || task.model !== model) return [];
  const why = `schedule ${schedule.name} needs it`;
  const { revision } = task;
  return revision === undefined ? [{ why }] : [{ why }, { revision, why }];
}
