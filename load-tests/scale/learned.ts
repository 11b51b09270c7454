import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsageRecord } from '#domain/records.ts';
import { systemClock } from '#lib/clock.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { startRouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';
import { nameOf, register } from './models.ts';
import { type CpuRates, measureCpu } from './rest.ts';

/** Until all are planned for: 200 of them each second. */
const SETTLE_MS = 70_000;
const MEASURE_MS = 30_000;
const MINUTE_MS = 60_000;
/** Minutes within which all were asked: while the idle time is short, plans are followed closely. */
const WITHIN = [10, 180];
/** Between the two requests of each: what keep-alive has learned of it. */
const GAP_MINUTES = 10;

/** What keep-alive costs when all models were asked within this time, and sleep under a plan. */
export interface Learned {
  readonly models: number;
  readonly askedWithinMinutes: number;
  readonly startMs: number;
  readonly cpu: CpuRates;
}

export async function measureLearned(
  parent: string,
  models: number,
  args: string[],
): Promise<Learned[]> {
  const folder = join(parent, 'adaptive');
  await mkdir(folder);
  const rouse = await startRouse(folder, false);
  try {
    await register(rouse, models, args, { policy: 'adaptive' });
  } finally {
    await rouse.stop();
  }
  const found: Learned[] = [];
  for (const within of WITHIN) {
    const copy = `${folder}-${within}`;
    await cp(folder, copy, { recursive: true });
    await store(copy, models, within);
    found.push(await measureOnce(copy, models, within));
  }
  return found;
}

/** After a restart it learns again from the traffic that is stored. */
async function measureOnce(
  folder: string,
  models: number,
  askedWithinMinutes: number,
): Promise<Learned> {
  const rouse = await startRouse(folder, true);
  try {
    await pause(SETTLE_MS);
    const cpu = await measureCpu(rouse, MEASURE_MS);
    return { models, askedWithinMinutes, startMs: rouse.announcedMs, cpu };
  } finally {
    await rouse.stop();
  }
}

/** Two requests to each, the last of them spread over the time. */
async function store(folder: string, models: number, within: number): Promise<void> {
  const file = await createSqliteStore({ path: join(folder, 'rouse.db'), clock: systemClock });
  const now = Math.floor(Date.now() / MINUTE_MS);
  const rows = Array.from({ length: models }, (_, index) => {
    const last = now - 1 - (index % within);
    return [last - GAP_MINUTES, last].map((minute) => makeRow(nameOf(index), minute));
  });
  await file.addUsage(rows.flat());
  await file.close();
}

function makeRow(model: string, minute: number): UsageRecord {
  const none = { coldArrivals: 0, coldSeconds: 0, memoryByteSeconds: 0 };
  return {
    namespace: 'default',
    model,
    revision: 'v1',
    minute,
    arrivals: 1,
    busySeconds: 0.1,
    ...none,
  };
}
