import { afterEach, expect, test, vi } from 'vitest';
import { createUsage } from '#control/usage.ts';
import type { UsageRecord } from '#domain/records.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { createFakeRuntime } from '#test/runtime/fake.ts';
import { rest } from './harness.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const COUNTS = {
  concurrency: 0,
  inFlight: 0,
  queued: 0,
  arrivals: 1,
  coldArrivals: 0,
  busySeconds: 0,
  coldSeconds: 0,
};

async function createSetup() {
  const clock = createFakeClock();
  const sqlite = await createSqliteStore({ path: ':memory:', clock });
  const written: UsageRecord[] = [];
  const disk = { full: true };
  const store: Store = {
    ...sqlite,
    async addUsage(rows) {
      if (disk.full) throw new Error('the disk is full');
      written.push(...rows);
    },
  };
  const runtime = createFakeRuntime({ clock });
  const usage = createUsage({ store, runtime, clock, log: silentLog, activeRevisions: () => [] });
  const report = (from: number, to: number): void => {
    const loads = Array.from({ length: to - from }, (_, index) => ({
      revision: `default/m/${from + index}`,
      ...COUNTS,
    }));
    usage.report(loads);
  };
  return { clock, usage, written, disk, report, close: () => sqlite.close() };
}

async function seconds(setup: { clock: { advance(ms: number): void } }, count: number) {
  for (let second = 0; second < count; second++) {
    setup.clock.advance(1000);
    await rest();
  }
}

test('what a store that fails does not take is bounded, and the oldest is lost, not silently', async () => {
  const logged = vi.spyOn(silentLog, 'error');
  const setup = await createSetup();
  for (let round = 0; round < 5; round++) {
    setup.report(round * 30_000, (round + 1) * 30_000);
    await seconds(setup, 16);
  }
  setup.disk.full = false;
  await setup.usage.close();
  const names = new Set(setup.written.map((row) => Number(row.revision)));
  expect(setup.written.length).toBeLessThanOrEqual(100_000);
  expect(setup.written.length).toBeGreaterThanOrEqual(80_000);
  expect(names.has(149_999)).toBe(true);
  expect(names.has(0)).toBe(false);
  const lost = logged.mock.calls.map(([about]: unknown[]) => about);
  expect(lost).toContainEqual({ lost: expect.any(Number) });
  await setup.close();
});

test('what could not be written is added to what came meanwhile, once', async () => {
  const setup = await createSetup();
  setup.report(0, 1);
  await seconds(setup, 16);
  setup.report(0, 1);
  setup.disk.full = false;
  await setup.usage.close();
  expect(setup.written.reduce((sum, row) => sum + row.arrivals, 0)).toBe(2);
  await setup.close();
});
