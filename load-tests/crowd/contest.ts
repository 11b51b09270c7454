import { mkdir } from 'node:fs/promises';
import { putModel } from '../measure/model.ts';
import { inParallel } from '../measure/parallel.ts';
import { startRouse } from '../measure/rouse.ts';
import { makeHaste } from './haste.ts';
import { learn } from './learn.ts';
import { type Replayed, replay } from './replay.ts';
import { type Arrival, cutWindow } from './window.ts';

/** A trace played this much faster, its gaps, its cold starts and the clock of Rouse alike. */
export const FASTER = 10;
/** What a cold start takes, in ms of the trace. */
export const START_MS = 10_000;
/** What each takes in fact, and what it declares: the difference is the program itself. */
const MEMORY_MIB = 16;
const DECLARED_MIB = 18;
const AT_ONCE = 8;

/** A part of the trace, in its own ms. What is before it teaches; the last of that is played, too, not counted. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly playedFrom: number;
}

/** Plays a window on a Rouse of its own with memory for so many models. */
export async function play(options: {
  folder: string;
  models: readonly (readonly number[])[];
  places: number;
  window: Window;
  /** Kept for this long, in ms of the trace; undefined: as keep-alive has learned. */
  fixed: number | undefined;
  server: readonly string[];
}): Promise<Replayed> {
  const { folder, models, places, window, fixed } = options;
  await mkdir(folder);
  const memoryBudget = places * DECLARED_MIB * 2 ** 20;
  const flags = ['--memory', `${places * DECLARED_MIB}Mi`, '--pool', '0'];
  const first = await startRouse(folder, false, flags);
  try {
    const spec = makeSpec(options.server, fixed);
    await inParallel(models.length, AT_ONCE, (model) => putModel(first, nameOf(model), spec));
  } finally {
    await first.stop();
  }
  await learn({
    folder,
    arrivals: cutWindow(models, 0, window.playedFrom),
    until: window.playedFrom,
    keyOf: (model) => `default/${nameOf(model)}/v1`,
    memoryBudget,
    coldSeconds: START_MS / 1000,
  });
  const rouse = await startRouse(folder, false, flags, makeHaste(FASTER));
  try {
    const { from, to, playedFrom } = window;
    const arrivals = hasten(cutWindow(models, playedFrom, to), playedFrom);
    const [counted, end] = [(from - playedFrom) / FASTER, (to - playedFrom) / FASTER];
    return await replay(rouse, arrivals, nameOf, counted, end);
  } finally {
    await rouse.stop();
  }
}

function hasten(arrivals: readonly Arrival[], from: number): Arrival[] {
  return arrivals.map(({ model, at }) => ({ model, at: (at - from) / FASTER }));
}

function nameOf(model: number): string {
  return `crowd-${model}`;
}

function makeSpec(server: readonly string[], fixed: number | undefined): Record<string, unknown> {
  const idle = fixed === undefined ? undefined : `${Math.round(fixed)}ms`;
  return {
    revision: {
      name: 'v1',
      runtime: 'command',
      args: [...server, String(START_MS / FASTER), String(MEMORY_MIB)],
      resources: { memory: `${DECLARED_MIB}Mi` },
      timeouts: { hold: '10m' },
    },
    scaling: { initial: 0, max: 1 },
    keepAlive: idle === undefined ? { policy: 'adaptive' } : { policy: 'fixed', idle },
  };
}
