import { readFile } from 'node:fs/promises';
import { type Figure, figureOf, quantile } from '../measure/figures.ts';
import { applyModel } from '../measure/apply.ts';
import { exchange, fieldOf, makeRequest } from '../measure/exchange.ts';
import { readGauge } from '../measure/gauges.ts';
import { hostOf, type Spec, untilModel } from '../measure/model.ts';
import { pause } from '../measure/until.ts';
import type { Rouse } from '../measure/rouse.ts';
import { parseTiming, type Phase } from '../measure/timing.ts';
import { ensureTool } from '../peers/tools.ts';
import { type Bare, type Floor, createBareStarts, createFrozen, learn, pidOf } from './floor.ts';
import { untilPagedOut } from './paging.ts';
import type { ColdRow } from './rows.ts';

/** Kept no longer than this after an answer: the next wake is a cold start. */
const IDLE = '50ms';
const POOL = 'rouse_pool_processes';
const PAUSE_MS = 20;

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
  /** Rouse's less the floor's of the same round: of the one before in even rounds, of the one after in odd ones. */
  readonly overhead: Spread;
  /** One floor less the other of the same round: what `overhead` shows of nothing but the machine. */
  readonly noise: Spread;
  /** Quantiles of Rouse's less those of the floor's. */
  readonly apart: { readonly p50: number; readonly p95: number };
  /** Medians of `Server-Timing`. */
  readonly phases: Readonly<Record<Phase, number>>;
  /** What the program itself says that loading its model took, when it is started by the bare loop. */
  readonly loadMs: Figure;
}

interface Round {
  readonly rouseMs: number;
  /** By the bare loop, before and after it. */
  readonly floors: readonly [Floor, Floor];
  readonly phases: Record<Phase, number>;
}

export interface WakeOptions {
  /** The Rouse that is measured. */
  readonly rouse: Rouse;
  /** One without a pool: `/proc` shows what a process of a pool stood by with, not what it became. */
  readonly fresh: Rouse;
  readonly folder: string;
  readonly wakes: number;
  readonly say: (text: string) => void;
}

/** In turns: the floor, Rouse, the floor again. */
export async function measureCold(row: ColdRow, options: WakeOptions): Promise<Cold> {
  const { rouse, fresh, folder, wakes } = options;
  const name = `cold-${row.name}`;
  const spec = await specOf(row, options.say);
  for (const each of new Set([fresh, rouse])) await applyModel(each, folder, name, spec);
  const request = makeRequest(hostOf(name), row.path, await bodyOf(row));
  await asleep(fresh, name);
  await wake(fresh, request);
  const learnt = learn(fresh.pid, name);
  const bare = isFrozen(row)
    ? await createFrozen(learnt, folder, request, row.from === 'paged')
    : createBareStarts(learnt, folder);
  const rounds: Round[] = [];
  try {
    for (let round = -1; round < wakes; round++) {
      const found = await measureRound(row, { rouse, name, request, bare });
      // The first finds nothing in the caches.
      if (round >= 0) rounds.push(found);
    }
  } finally {
    await bare.close();
  }
  return summarise(row.name, rounds);
}

function isFrozen({ from }: ColdRow): boolean {
  return from === 'parked' || from === 'paged';
}

async function specOf(row: ColdRow, say: WakeOptions['say']): Promise<Spec> {
  const kept = isFrozen(row) ? { idle: '0s', park: '10m' } : { idle: IDLE };
  return {
    revision: { ...row.revision, ...(await argsOf(row, say)) },
    scaling: { max: 1 },
    keepAlive: { policy: 'fixed', ...kept },
  };
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

interface Sides {
  readonly rouse: Rouse;
  readonly name: string;
  readonly request: string;
  readonly bare: Bare;
}

async function measureRound(row: ColdRow, sides: Sides): Promise<Round> {
  const { rouse, name, request, bare } = sides;
  const before = await bare.wake(request);
  await untilReadyToWake(row, rouse, name);
  const woken = await wake(rouse, request);
  // Ending or freezing it must not fall into the floor's turn.
  await untilReadyToWake(row, rouse, name);
  return { ...woken, floors: [before, await bare.wake(request)] };
}

async function untilReadyToWake(row: ColdRow, rouse: Rouse, name: string): Promise<void> {
  if (isFrozen(row)) {
    await untilModel(rouse, name, ({ instances }) => instances[0]?.state === 'parked');
    if (row.from === 'paged') await untilPagedOut(pidOf(rouse.pid, name));
    return;
  }
  await asleep(rouse, name);
  const standby = `runtime="${String(row.revision['runtime'])}",state="idle"`;
  while (row.from === 'pool' && (await readGauge(rouse, POOL, standby)) === 0)
    await pause(PAUSE_MS);
}

async function asleep(rouse: Rouse, name: string): Promise<void> {
  await untilModel(rouse, name, ({ state, instances }) => {
    return (state === 'Asleep' && instances.length === 0) || state === 'Parked';
  });
}

async function wake(rouse: Rouse, request: string): Promise<Pick<Round, 'rouseMs' | 'phases'>> {
  const askedAt = performance.now();
  const { firstByteAt, status, head, body } = await exchange({ port: rouse.port }, request);
  if (status !== 200) throw new Error(`Rouse answered ${status}: ${body}`);
  if (fieldOf(head, 'rouse-cold-start') !== 'true') throw new Error('nobody had to be woken');
  return {
    rouseMs: firstByteAt - askedAt,
    phases: parseTiming(fieldOf(head, 'server-timing') ?? ''),
  };
}

function summarise(row: string, rounds: readonly Round[]): Cold {
  const medianOf = (phase: Phase): number =>
    figureOf(rounds.map(({ phases }) => phases[phase])).median;
  const floors = rounds.flatMap((each) => each.floors);
  const rouse = spreadOf(rounds.map(({ rouseMs }) => rouseMs));
  const floor = spreadOf(floors.map(({ ms }) => ms));
  return {
    row,
    wakes: rounds.length,
    rouse,
    floor,
    overhead: spreadOf(
      rounds.map(({ rouseMs, floors: [before, after] }, round) => {
        return rouseMs - (round % 2 === 0 ? before : after).ms;
      }),
    ),
    noise: spreadOf(rounds.map(({ floors: [before, after] }) => before.ms - after.ms)),
    apart: { p50: rouse.p50 - floor.p50, p95: rouse.p95 - floor.p95 },
    phases: {
      queue: medianOf('queue'),
      start: medianOf('start'),
      load: medianOf('load'),
      infer: medianOf('infer'),
    },
    loadMs: figureOf(floors.map(({ loadMs }) => loadMs)),
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = 0, high = 0] = [sorted[0], sorted.at(-1)];
  return { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), low, high };
}
