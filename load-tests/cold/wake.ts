import { readFile } from 'node:fs/promises';
import { type Figure, figureOf, quantile } from '../measure/figures.ts';
import { applyModel } from '../measure/apply.ts';
import { exchange, fieldOf, makeRequest } from '../measure/exchange.ts';
import { hostOf, untilModel } from '../measure/model.ts';
import type { Rouse } from '../measure/rouse.ts';
import { parseTiming, type Phase } from '../measure/timing.ts';
import { ensureTool } from '../peers/tools.ts';
import { type Learnt, learn, startBare } from './floor.ts';
import type { ColdRow } from './rows.ts';

/** Kept no longer than this after an answer: the next wake is a cold start. */
const IDLE = '50ms';

/** Milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly low: number;
  readonly high: number;
}

export interface Cold {
  readonly row: string;
  readonly wakes: number;
  readonly rouse: Spread;
  readonly floor: Spread;
  /** Rouse's less the floor's of the same round. */
  readonly overhead: Spread;
  /** Medians of `Server-Timing`. */
  readonly phases: Readonly<Record<Phase, number>>;
  /** What the program itself says that loading its model took, when it is started by the bare loop. */
  readonly loadMs: Figure;
}

interface Round {
  readonly rouseMs: number;
  readonly floorMs: number;
  readonly loadMs: number;
  readonly phases: Record<Phase, number>;
}

export interface WakeOptions {
  readonly rouse: Rouse;
  readonly folder: string;
  readonly wakes: number;
  readonly say: (text: string) => void;
}

/** In turns; every other round begins with the floor. */
export async function measureCold(row: ColdRow, options: WakeOptions): Promise<Cold> {
  const { rouse, folder, wakes } = options;
  const name = `cold-${row.name}`;
  await applyModel(rouse, folder, name, {
    revision: { ...row.revision, ...(await argsOf(row, options.say)) },
    scaling: { max: 1 },
    keepAlive: { policy: 'fixed', idle: IDLE },
  });
  const request = makeRequest(hostOf(name), row.path, await bodyOf(row));
  const learnt = await learnProgram(rouse, name, request);
  const rounds: Round[] = [];
  for (let round = -1; round < wakes; round++) {
    const found = await measureRound(rouse, name, request, learnt, folder, round % 2 === 0);
    // The first finds nothing in the caches.
    if (round >= 0) rounds.push(found);
  }
  return summarise(row.name, rounds);
}

async function argsOf(row: ColdRow, say: WakeOptions['say']): Promise<object> {
  const { args } = row.revision;
  if (row.tool === undefined || !Array.isArray(args)) return {};
  return { args: [await ensureTool(row.tool, say), ...args] };
}

async function bodyOf({ body }: ColdRow): Promise<string | undefined> {
  if (body === undefined) return undefined;
  return 'text' in body ? body.text : await readFile(body.file, 'utf8');
}

async function learnProgram(rouse: Rouse, name: string, request: string): Promise<Learnt> {
  await asleep(rouse, name);
  await wake(rouse, request);
  return learn(rouse.pid, name);
}

async function measureRound(
  rouse: Rouse,
  name: string,
  request: string,
  learnt: Learnt,
  folder: string,
  floorFirst: boolean,
): Promise<Round> {
  const early = floorFirst ? await startBare(learnt, request, folder) : undefined;
  await asleep(rouse, name);
  const woken = await wake(rouse, request);
  await asleep(rouse, name);
  const { ms, loadMs } = early ?? (await startBare(learnt, request, folder));
  return { ...woken, floorMs: ms, loadMs };
}

async function asleep(rouse: Rouse, name: string): Promise<void> {
  await untilModel(rouse, name, ({ state, instances }) => {
    return state === 'Asleep' && instances.length === 0;
  });
}

async function wake(rouse: Rouse, request: string): Promise<Pick<Round, 'rouseMs' | 'phases'>> {
  const askedAt = performance.now();
  const { firstByteAt, status, head, body } = await exchange({ port: rouse.port }, request);
  if (status !== 200) throw new Error(`Rouse answered ${status}: ${body}`);
  if (fieldOf(head, 'rouse-cold-start') !== 'true') throw new Error('this was no cold start');
  return {
    rouseMs: firstByteAt - askedAt,
    phases: parseTiming(fieldOf(head, 'server-timing') ?? ''),
  };
}

function summarise(row: string, rounds: readonly Round[]): Cold {
  const medianOf = (phase: Phase): number =>
    figureOf(rounds.map(({ phases }) => phases[phase])).median;
  return {
    row,
    wakes: rounds.length,
    rouse: spreadOf(rounds.map(({ rouseMs }) => rouseMs)),
    floor: spreadOf(rounds.map(({ floorMs }) => floorMs)),
    overhead: spreadOf(rounds.map(({ rouseMs, floorMs }) => rouseMs - floorMs)),
    phases: {
      queue: medianOf('queue'),
      start: medianOf('start'),
      load: medianOf('load'),
      infer: medianOf('infer'),
    },
    loadMs: figureOf(rounds.map(({ loadMs }) => loadMs)),
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  return { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), low, high };
}
