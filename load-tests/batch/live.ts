import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownModelName } from '#domain/job.ts';
import { type Figure, figureOf } from '../measure/figures.ts';
import { hostOf, untilModel } from '../measure/model.ts';
import type { Rouse } from '../measure/rouse.ts';
import { attack, type VegetaReport } from '../measure/vegeta.ts';
import { FEATURES } from './rows.ts';
import { type Job, MODEL, rateOf, startJob } from './job.ts';
import { settle } from './settle.ts';

/** Callers of the model, a second. */
export const RATE = 200;

/** Callers of a model without a job on it and with one, in turns. */
export interface Live {
  readonly rounds: number;
  readonly seconds: number;
  readonly failed: number;
  readonly p99Ms: { readonly without: Figure; readonly with: Figure };
  readonly p50Ms: { readonly without: Figure; readonly with: Figure };
  /** Round by round. */
  readonly ratio: Figure;
  /** Part of all processors' time that nobody used without the job. */
  readonly leftOver: Figure;
  readonly jobRowsPerSecond: Figure;
}

interface Turn {
  readonly seen: VegetaReport;
  readonly idle: number;
}

export async function measureLive(
  rouse: Rouse,
  folder: string,
  input: string,
  options: { vegeta: string; rounds: number; seconds: number },
): Promise<Live> {
  const { rounds, seconds } = options;
  const attack = await makeAttack(rouse, folder, options);
  // Awake, as it is for all rounds.
  await attack();
  const job = await startJob(rouse, input, join(folder, 'live.parquet'));
  const [calm, busy, rates]: [Turn[], Turn[], number[]] = [[], [], []];

  async function withJob(): Promise<void> {
    if ((await job.get()).state === 'Paused') await job.act('resume');
    await settle(job);
    const turn = attack();
    rates.push(await rateOf(job, turn));
    busy.push(await turn);
  }

  async function withoutJob(): Promise<void> {
    await rest(rouse, job);
    calm.push(await attack());
  }

  for (let round = 0; round < rounds; round++) {
    const turns = [withoutJob, withJob];
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  await job.cancel();
  const p99 = (turns: readonly Turn[]): number[] => turns.map(({ seen }) => seen.p99Ms);
  const p50 = (turns: readonly Turn[]): number[] => turns.map(({ seen }) => seen.p50Ms);
  return {
    rounds,
    seconds,
    failed: [...calm, ...busy].reduce((sum, { seen }) => sum + seen.failed, 0),
    p99Ms: { without: figureOf(p99(calm)), with: figureOf(p99(busy)) },
    p50Ms: { without: figureOf(p50(calm)), with: figureOf(p50(busy)) },
    ratio: figureOf(p99(busy).map((ms, round) => ms / (p99(calm)[round] ?? NaN))),
    leftOver: figureOf(calm.map(({ idle }) => idle)),
    jobRowsPerSecond: figureOf(rates),
  };
}

/** Paused, and its instances have ended. */
async function rest(rouse: Rouse, job: Job): Promise<void> {
  if ((await job.get()).state !== 'Paused') await job.act('pause');
  await untilModel(rouse, ownModelName(job.id), ({ instances }) => instances.length === 0);
}

async function makeAttack(
  rouse: Rouse,
  folder: string,
  { vegeta, seconds }: { vegeta: string; seconds: number },
): Promise<() => Promise<Turn>> {
  const [targets, body, results] = ['targets', 'body', 'results'].map((name) => join(folder, name));
  if (!targets || !body || !results) throw new Error('no files');
  const data = Array.from({ length: FEATURES }, (_, pixel) => pixel % 17);
  const image = { name: 'image', datatype: 'FP32', shape: [1, FEATURES], data };
  await writeFile(body, JSON.stringify({ inputs: [image] }));
  await writeFile(
    targets,
    `POST http://127.0.0.1:${rouse.port}/v2/models/${MODEL}/infer\nHost: ${hostOf(MODEL)}\n` +
      `Content-Type: application/json\n@${body}\n`,
  );
  return async () => {
    const before = readCpu();
    const seen = await attack(vegeta, { targets, results }, RATE, seconds);
    const after = readCpu();
    const idle = (after.idleTicks - before.idleTicks) / (after.allTicks - before.allTicks);
    return { seen, idle };
  };
}

/** Of all processors since the machine was started. */
function readCpu(): { idleTicks: number; allTicks: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  // user nice system idle iowait irq softirq steal; what guests use is in user.
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [, , , idle = 0, waiting = 0] = ticks;
  return { idleTicks: idle + waiting, allTicks: ticks.reduce((sum, count) => sum + count, 0) };
}
