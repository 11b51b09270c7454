import { join } from 'node:path';
import { ownModelName } from '#domain/job.ts';
import { type Figure, figureOf } from '../measure/figures.ts';
import type { Rouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';
import { callDirectly, makeBody } from './direct.ts';
import { rateOf, startJob } from './job.ts';
import { settle } from './settle.ts';

/** A job beside a tight loop over its own instances, in turns. */
export interface Beside {
  readonly rounds: number;
  readonly instances: number;
  /** Rows of a request, in each round. */
  readonly batchSizes: readonly number[];
  readonly jobRowsPerSecond: Figure;
  readonly directRowsPerSecond: Figure;
  /** Round by round. */
  readonly ratio: Figure;
}

/** `seconds`: of each turn; the instances of a job that is paused stay for ten. */
export async function measureBeside(
  rouse: Rouse,
  folder: string,
  input: string,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Beside> {
  const job = await startJob(rouse, input, join(folder, 'beside.parquet'));
  const [jobs, directs, sizes]: [number[], number[], number[]] = [[], [], []];
  let instances = 0;
  for (let round = 0; round < rounds; round++) {
    const { progress } = await settle(job);
    const { batchSize = 0 } = progress ?? {};
    instances = progress?.instances ?? 0;
    sizes.push(batchSize);
    jobs.push(await rateOf(job, pause(seconds * 1000)));
    await job.act('pause');
    const body = await makeBody(input, folder, batchSize);
    const model = ownModelName(job.id);
    directs.push((await callDirectly(rouse.pid, model, body, seconds)) * batchSize);
    await job.act('resume');
  }
  await job.cancel();
  return {
    rounds,
    instances,
    batchSizes: sizes,
    jobRowsPerSecond: figureOf(jobs),
    directRowsPerSecond: figureOf(directs),
    ratio: figureOf(jobs.map((rate, round) => rate / (directs[round] ?? NaN))),
  };
}
