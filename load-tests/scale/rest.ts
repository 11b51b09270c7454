import { pause } from '../measure/until.ts';
import { type Rouse, type Sample, startRouse } from '../measure/rouse.ts';
import { folderFor } from './models.ts';
import { type Figure, figureOf, rotate } from '../measure/figures.ts';

const SETTLE_MS = 3000;
const MEASURE_MS = 6000;
/** After garbage was collected: until V8 has given pages back. */
const RETURN_MS = 1000;

/** What a Rouse costs whose models all sleep. */
export interface Rest {
  readonly models: number;
  readonly startMs: Figure;
  readonly healthyMs: Figure;
  /** As it is a few seconds after the start, and what remains when garbage has been collected. */
  readonly rssBytes: Figure;
  readonly settledRssBytes: Figure;
  readonly heapBytes: Figure;
  readonly cpu: CpuFigures;
}

/** ms of CPU per second. */
export interface CpuFigures {
  readonly all: Figure;
  readonly plane: Figure;
  readonly control: Figure;
}

export interface CpuRates {
  readonly all: number;
  readonly plane: number;
  readonly control: number;
}

interface Round {
  startMs: number;
  healthyMs: number;
  rssBytes: number;
  settledRssBytes: number;
  heapBytes: number;
  cpu: CpuRates;
}

export async function measureRest(
  parent: string,
  sizes: readonly number[],
  rounds: number,
): Promise<Rest[]> {
  const found = new Map<number, Round[]>(sizes.map((models) => [models, []]));
  for (let round = 0; round < rounds; round++) {
    for (const models of rotate(sizes, round)) {
      found.get(models)?.push(await measureOnce(folderFor(parent, models)));
    }
  }
  return [...found].map(([models, all]) => summarise(models, all));
}

async function measureOnce(folder: string): Promise<Round> {
  const plain = await startRouse(folder, false);
  const { announcedMs, healthyMs } = plain;
  await pause(SETTLE_MS);
  const rssBytes = plain.rssBytes();
  await plain.stop();
  const probed = await startRouse(folder, true);
  await pause(SETTLE_MS);
  const cpu = await measureCpu(probed, MEASURE_MS);
  const kept = await collect(probed);
  await probed.stop();
  return { startMs: Math.max(announcedMs, healthyMs), healthyMs, rssBytes, cpu, ...kept };
}

/** What is kept when garbage has been collected in both threads. */
export async function collect(
  rouse: Rouse,
): Promise<{ heapBytes: number; settledRssBytes: number }> {
  const { heapBytes } = await rouse.sample(true);
  await pause(RETURN_MS);
  return { heapBytes, settledRssBytes: rouse.rssBytes() };
}

export async function measureCpu(rouse: Rouse, ms: number): Promise<CpuRates> {
  const before = await rouse.sample();
  await pause(ms);
  const after = await rouse.sample();
  const seconds = (after.at - before.at) / 1000;
  const rate = (thread: keyof Sample['cpuMicros']): number =>
    (after.cpuMicros[thread] - before.cpuMicros[thread]) / 1000 / seconds;
  return { all: rate('all'), plane: rate('plane'), control: rate('control') };
}

function summarise(models: number, all: readonly Round[]): Rest {
  const over = (of: (round: Round) => number): Figure => figureOf(all.map(of));
  return {
    models,
    startMs: over((round) => round.startMs),
    healthyMs: over((round) => round.healthyMs),
    rssBytes: over((round) => round.rssBytes),
    settledRssBytes: over((round) => round.settledRssBytes),
    heapBytes: over((round) => round.heapBytes),
    cpu: {
      all: over(({ cpu }) => cpu.all),
      plane: over(({ cpu }) => cpu.plane),
      control: over(({ cpu }) => cpu.control),
    },
  };
}
