import { loadCatalog } from '#control/records/catalog.ts';
import { createJournal } from '#control/records/journal.ts';
import { loadScheduleBook, type ScheduleBook } from '#control/schedules/book.ts';
import { createScheduler } from '#control/schedules/scheduler.ts';
import type { Outcome, Task } from '#control/schedules/task.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { ADMIN, rest } from '../harness.ts';

export const HOUR = 3_600_000;
export const KEY = 'default/hourly';
export const DONE: Outcome = { state: 'Succeeded', reason: 'done' };

/** The scheduler alone over a store, with one schedule, whose runs do what a test says. */
export interface World {
  readonly clock: FakeClock;
  readonly book: ScheduleBook;
  /** How far the clock of the scheduler is off, ms. */
  skew: number;
  /** What runs do: at first, they are done when they are begun. */
  task: Task;
  beforeWrite: () => Promise<void>;
  pass(seconds: number): Promise<void>;
  /** Fast, but second by second at the end. */
  passHours(hours: number): Promise<void>;
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const clock = createFakeClock();
  const store = await createSqliteStore({ path: ':memory:', clock });
  const seen = {
    now: () => clock.now() + world.skew,
    after: (ms: number, run: () => void) => clock.after(ms, run),
  };
  const guarded: Store = {
    ...store,
    async write(...given) {
      await world.beforeWrite();
      return await store.write(...given);
    },
  };
  const catalog = await loadCatalog(store);
  const journal = createJournal({ store: guarded, catalog, clock, log: silentLog });
  const book = await loadScheduleBook({ store, journal });
  const world: World = {
    clock,
    book,
    skew: 0,
    task: {
      start: async () => ({ outcome: DONE }),
      look: () => undefined,
      stop: async () => undefined,
    },
    beforeWrite: async () => undefined,
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        await rest();
        clock.advance(1000);
      }
      await rest();
    },
    async passHours(hours) {
      clock.advance(hours * HOUR - 2000);
      await world.pass(4);
    },
    async close() {
      await scheduler.close();
      await store.close();
    },
  };
  const task: Task = {
    start: (...given) => world.task.start(...given),
    look: (...given) => world.task.look(...given),
    stop: (...given) => world.task.stop(...given),
  };
  const tasks = { batch: task, program: task, warmUp: task, probe: task };
  const scheduler = createScheduler({
    book,
    tasks,
    onChange: () => {},
    clock: seen,
    log: silentLog,
  });
  const batch = { model: 'm', input: { location: '/in' }, output: { path: '/out' } };
  const now = clock.now();
  const schedule = {
    document: {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Schedule',
      metadata: { name: 'hourly' },
      spec: { schedule: '0 * * * *', batch },
    },
    createdAt: now,
    updatedAt: now,
    updatedBy: ADMIN,
    after: now,
    missed: 0,
  } as const;
  await book.commit({ key: KEY, schedule }, []);
  scheduler.changed(KEY);
  return world;
}
