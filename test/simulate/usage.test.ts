import { expect, test } from 'vitest';
import type { UsageRecord } from '#domain/records.ts';
import { compareUsage, readUsageTrace } from '#simulate/usage.ts';

const START = 30_000_000;

function row(minute: number, part: Partial<UsageRecord> = {}): UsageRecord {
  return {
    namespace: 'default',
    model: 'm',
    revision: 'v1',
    minute: START + minute,
    arrivals: 1,
    coldArrivals: 0,
    busySeconds: 0.1,
    coldSeconds: 0,
    memoryByteSeconds: 0,
    ...part,
  };
}

/** In pages of two. */
async function* pagesOf(...rows: readonly UsageRecord[]): AsyncGenerator<readonly UsageRecord[]> {
  for (let first = 0; first < rows.length; first += 2) yield rows.slice(first, first + 2);
}

test('a minute with requests is an arrival, and costs are as they were measured', async () => {
  const pages = pagesOf(
    row(0, { arrivals: 5, coldArrivals: 2, coldSeconds: 3, memoryByteSeconds: 6000 }),
    row(0, { model: 'other' }),
    row(1, { arrivals: 0, memoryByteSeconds: 12_000 }),
    row(1, { arrivals: 0, model: 'never asked', memoryByteSeconds: 5 }),
    row(9, { coldArrivals: 1, coldSeconds: 0 }),
  );
  const trace = (await readUsageTrace(pages))!;
  expect(trace.models).toEqual([
    { name: 'default/m/v1', coldCost: 1, memory: 200 },
    { name: 'default/other/v1', coldCost: 1, memory: 1 },
  ]);
  expect(Array.from(trace.at, (at) => at / 60_000 - START)).toEqual([0, 0, 9]);
  expect([trace.from, trace.to].map((at) => at / 60_000 - START)).toEqual([0, 10]);
});

test('a timer: kept for too short a time it is cold each time; learned, it is loaded ahead', async () => {
  const rows = Array.from({ length: 200 }, (_, hour) =>
    row(60 * hour, { coldArrivals: 1, coldSeconds: 2, memoryByteSeconds: 60 * 2 ** 20 }),
  );
  const compared = await compareUsage(pagesOf(...rows), {
    policies: ['fixed:10m', 'fixed:2h', 'adaptive:online'],
    budget: 'fixed:10m',
  });
  const [short, long, adaptive] = compared!;
  expect(short).toMatchObject({ arrivals: 200, cold: 200, coldSeconds: 400 });
  expect(long).toMatchObject({ cold: 1 });
  expect(adaptive!.cold).toBeLessThan(20);
  expect(adaptive!.idleMemory).toBeLessThan(1.1 * short!.idleMemory);
});

test('minutes in which nobody asked are no traffic', async () => {
  expect(await readUsageTrace(pagesOf())).toBeUndefined();
  const idle = row(0, { arrivals: 0, memoryByteSeconds: 6000 });
  expect(await compareUsage(pagesOf(idle), { policies: ['fixed:1m'] })).toBeUndefined();
});
