import { join } from 'node:path';
import type { Rouse } from '../measure/rouse.ts';
import { untilModel } from '../measure/model.ts';
import { MODEL, startJob } from './job.ts';
import { type Memory, watchMemory } from './memory.ts';

/** A job from zero to zero. */
export interface Whole {
  readonly rows: number;
  readonly failed: number;
  /** From the request for the job until it had succeeded, and no instance was left. */
  readonly seconds: number;
  /** While rows were scored, as the job's report has it. */
  readonly rowsPerSecond: number;
  readonly batchSize: number;
  readonly requests: number;
  readonly retries: number;
  readonly instanceSeconds: number;
  readonly memory: Memory;
}

export async function measureWhole(rouse: Rouse, folder: string, input: string): Promise<Whole> {
  await untilModel(rouse, MODEL, ({ state, instances }) => {
    return state === 'Asleep' && instances.length === 0;
  });
  const since = performance.now();
  const job = await startJob(rouse, input, join(folder, `${performance.now()}.parquet`));
  const done = job.until(({ state }) => state === 'Succeeded');
  const memory = await watchMemory(rouse.pid, done);
  const seconds = (performance.now() - since) / 1000;
  const { report } = await done;
  if (!report) throw new Error(`job ${job.id} has no report`);
  const { rows, rowsPerSecond, batchSize, requests, retries, instanceSeconds } = report;
  return {
    rows: rows.done,
    failed: rows.failed,
    seconds,
    rowsPerSecond,
    batchSize,
    requests,
    retries,
    instanceSeconds,
    memory,
  };
}
