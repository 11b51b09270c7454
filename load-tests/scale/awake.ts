import { call } from './calls.ts';
import { folderFor, IDLE_SECONDS, nameOf } from './models.ts';
import { quantile } from '../measure/figures.ts';
import { countInstances } from '../measure/gauges.ts';
import { collect, type CpuRates, measureCpu } from './rest.ts';
import { pause, until } from '../measure/until.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';

const IN_FLIGHT = 50;
const SETTLE_MS = 3000;
const MEASURE_MS = 10_000;
/** Beyond its idle time nobody is awake for longer than a minute, unless something is wrong. */
const SLEEPING = { everyMs: 250, withinMs: IDLE_SECONDS * 1000 + 60_000 };

/** Many cold models called at once, then left alone until they sleep. */
export interface Awake {
  readonly models: number;
  readonly called: number;
  readonly wakeMs: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly errors: readonly string[];
  /** Instances that run while the CPU is measured. */
  readonly instances: number;
  /** ms of CPU per second: all asleep before, awake and idle, asleep again. */
  readonly cpuBefore: CpuRates;
  readonly cpuAwake: CpuRates;
  readonly cpuAfter: CpuRates;
  /** From the last answer until no instance was left. */
  readonly sleepMs: number;
  /** Garbage collected: before the calls, and after all had gone back to sleep. */
  readonly heapBytes: { readonly before: number; readonly after: number };
  readonly rssBytes: { readonly before: number; readonly after: number };
}

export async function measureAwake(parent: string, models: number, called: number): Promise<Awake> {
  const rouse = await startRouse(folderFor(parent, models), true);
  try {
    await pause(SETTLE_MS);
    const cpuBefore = await measureCpu(rouse, MEASURE_MS);
    const before = await collect(rouse);
    const calls = await call(rouse.port, called, IN_FLIGHT, (index) => ({
      path: '/',
      host: `${nameOf(index)}.default.localhost`,
    }));
    const answeredAt = performance.now();
    await pause(SETTLE_MS);
    const cpuAwake = await measureCpu(rouse, MEASURE_MS);
    const { ready } = await countInstances(rouse);
    await untilAsleep(rouse);
    const sleepMs = performance.now() - answeredAt;
    await pause(SETTLE_MS);
    const cpuAfter = await measureCpu(rouse, MEASURE_MS);
    const after = await collect(rouse);
    return {
      models,
      called,
      wakeMs: calls.wallMs,
      latencyMs: {
        p50: quantile(calls.latenciesMs, 0.5),
        p95: quantile(calls.latenciesMs, 0.95),
        p99: quantile(calls.latenciesMs, 0.99),
      },
      errors: calls.errors,
      instances: ready,
      cpuBefore,
      cpuAwake,
      cpuAfter,
      sleepMs,
      heapBytes: { before: before.heapBytes, after: after.heapBytes },
      rssBytes: { before: before.settledRssBytes, after: after.settledRssBytes },
    };
  } finally {
    await rouse.stop();
  }
}

async function untilAsleep(rouse: Rouse): Promise<void> {
  await until(SLEEPING, async () => {
    const { all } = await countInstances(rouse);
    return all === 0 ? undefined : `${all} instances do not go to sleep`;
  });
}
