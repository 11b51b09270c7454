import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadCatalog } from '#control/catalog.ts';
import { createJournal } from '#control/journal.ts';
import { loadScheduleBook, type ScheduleBook } from '#control/schedules/book.ts';
import { createScheduler, type Scheduler } from '#control/schedules/scheduler.ts';
import type { Task } from '#control/schedules/task.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { ADMIN, rest } from '../harness.ts';

const HOUR = 3_600_000;
const KEY = 'default/hourly';
const DONE: Task = {
  start: async () => ({ outcome: { state: 'Succeeded', reason: 'done' } }),
  look: () => undefined,
  stop: async () => undefined,
};

let clock: FakeClock;
/** How far the clock is off. */
let skew: number;
let store: Store;
let book: ScheduleBook;
let scheduler: Scheduler;

beforeEach(async () => {
  clock = createFakeClock();
  skew = 0;
  const seen = {
    now: () => clock.now() + skew,
    after: (ms: number, run: () => void) => clock.after(ms, run),
  };
  store = await createSqliteStore({ path: ':memory:', clock });
  const catalog = await loadCatalog(store);
  const base = { store, catalog, clock: seen, log: silentLog };
  book = await loadScheduleBook({ store, journal: createJournal(base) });
  const tasks = { batch: DONE, program: DONE, warmUp: DONE, probe: DONE };
  scheduler = createScheduler({ book, tasks, onChange: () => {}, clock: seen, log: silentLog });
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
});

afterEach(async () => {
  await scheduler.close();
  await store.close();
});

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await rest();
    clock.advance(1000);
  }
  await rest();
}

/** Hours after the first moment, of the runs that there are. */
async function ranAfter(hours: number): Promise<number[]> {
  clock.advance(hours * HOUR - 2000);
  await pass(4);
  const begun = Date.UTC(2030, 0, 1);
  return book.runs(KEY).map(({ scheduledAt }) => (scheduledAt - begun) / HOUR);
}

test('a clock that is put back by hours repeats nothing, and goes on where it was', async () => {
  expect(await ranAfter(1)).toEqual([1]);
  expect(await ranAfter(1)).toEqual([1, 2]);
  skew = -1.5 * HOUR;
  expect(await ranAfter(1)).toEqual([1, 2]);
  expect(await ranAfter(1)).toEqual([1, 2]);
  expect(await ranAfter(1)).toEqual([1, 2, 3]);
});

test('a clock that was a year ahead has its times again when it is right', async () => {
  skew = 365 * 24 * HOUR;
  expect(await ranAfter(1)).toEqual([8760, 8761]);
  skew = 0;
  await pass(2);
  expect((await ranAfter(1)).toSorted((a, b) => a - b)[0]).toBe(2);
  expect(book.get(KEY)?.value.after).toBe(Date.UTC(2030, 0, 1, 2));
});

test('a clock that is put forward by hours catches the last one up, and counts the others', async () => {
  await ranAfter(1);
  skew = 5 * HOUR;
  await pass(3);
  expect(await ranAfter(1)).toEqual([1, 6, 7]);
  expect(book.get(KEY)?.value.missed).toBe(4);
});
