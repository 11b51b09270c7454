import { join } from 'node:path';
import { ownModelName } from '#domain/job.ts';
import { type Figure, figureOf } from '../measure/figures.ts';
import type { Rouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';
import { type CpuMicros, cpuOf, cpuOfRow, INSTANCES } from './cpu.ts';
import { callDirectly, makeBody } from './direct.ts';
import { hearRows, type Job, startJob } from './job.ts';
import { settle } from './settle.ts';

/** A job beside a tight loop over its own instances, in turns. */
export interface Beside {
  readonly rounds: number;
  readonly instances: number;
  /** Processors that the instances leave to whoever asks them. */
  readonly spare: number;
  /** Rows of a request, in each round. */
  readonly batchSizes: readonly number[];
  readonly job: Asked;
  readonly direct: Asked;
  /** Of the rates, round by round. */
  readonly ratio: Figure;
}

/** What instances did for who asked them. */
export interface Asked {
  readonly rowsPerSecond: Figure;
  /** Processor time of a row, µs, by who took it. */
  readonly cpu: Readonly<Record<string, Figure>>;
}

interface Turn {
  readonly rowsPerSecond: number;
  readonly cpu: CpuMicros;
}

/** `seconds`: of each turn; the instances of a job that is paused stay for ten. */
export async function measureBeside(
  rouse: Rouse,
  folder: string,
  input: string,
  { rounds, seconds, cores }: { rounds: number; seconds: number; cores: number },
): Promise<Beside> {
  const job = await startJob(rouse, input, join(folder, `${performance.now()}.parquet`));
  const [jobs, directs, sizes]: [Turn[], Turn[], number[]] = [[], [], []];
  let instances = 0;
  for (let round = 0; round < rounds; round++) {
    const { progress } = await settle(job);
    const { batchSize = 0 } = progress ?? {};
    instances = progress?.instances ?? 0;
    sizes.push(batchSize);
    jobs.push(await measureJob(rouse, job, seconds));
    await job.act('pause');
    directs.push(await measureDirect(rouse, job, { input, folder, batchSize, seconds }));
    await job.act('resume');
  }
  await job.cancel();
  return {
    rounds,
    instances,
    spare: cores - instances,
    batchSizes: sizes,
    job: askedOf(jobs),
    direct: askedOf(directs),
    ratio: figureOf(
      jobs.map(
        ({ rowsPerSecond }, round) => rowsPerSecond / (directs[round]?.rowsPerSecond ?? NaN),
      ),
    ),
  };
}

async function measureJob(rouse: Rouse, job: Job, seconds: number): Promise<Turn> {
  const done = await hearRows(job);
  const [since, before] = [performance.now(), cpuOf(rouse.pid, job.id)];
  await pause(seconds * 1000);
  const rows = (await hearRows(job)) - done;
  const cpu = cpuOfRow(before, cpuOf(rouse.pid, job.id), rows);
  return { rowsPerSecond: (rows * 1000) / (performance.now() - since), cpu };
}

async function measureDirect(
  rouse: Rouse,
  job: Job,
  {
    input,
    folder,
    batchSize,
    seconds,
  }: Record<'input' | 'folder', string> & Record<'batchSize' | 'seconds', number>,
): Promise<Turn> {
  const body = await makeBody(input, folder, batchSize);
  const before = cpuWithLoop(rouse, job);
  const { answers, ...took } = await callDirectly(rouse.pid, ownModelName(job.id), body, seconds);
  const rows = answers * batchSize;
  const cpu = cpuOfRow(before, cpuWithLoop(rouse, job), rows);
  return { rowsPerSecond: rows / took.seconds, cpu };
}

/** The loop is in this process. */
function cpuWithLoop(rouse: Rouse, { id }: Job): CpuMicros {
  const { user, system } = process.cpuUsage();
  return { [INSTANCES]: cpuOf(rouse.pid, id)[INSTANCES] ?? 0, loop: user + system };
}

function askedOf(turns: readonly Turn[]): Asked {
  const names = new Set(turns.flatMap(({ cpu }) => Object.keys(cpu)));
  return {
    rowsPerSecond: figureOf(turns.map(({ rowsPerSecond }) => rowsPerSecond)),
    cpu: Object.fromEntries(
      [...names].map((name) => [name, figureOf(turns.map(({ cpu }) => cpu[name] ?? 0))]),
    ),
  };
}
