import type { Outcome } from '#simulate/scaling/run.ts';
import type { Shape } from '#simulate/scaling/shapes.ts';
import { createTimes, WARM_UP_MS } from '#simulate/scaling/times.ts';
import { drawNext, drawWork, makeRoll } from '#simulate/scaling/traffic.ts';
import { type Caller, createCaller } from '../measure/caller.ts';
import { makeRequest } from '../measure/exchange.ts';
import { instancesOf } from '../measure/instances.ts';
import { hostOf } from '../measure/model.ts';
import type { Rouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';

/** A model and the traffic that it gets. */
export interface Run {
  readonly model: string;
  readonly shape: Shape;
}

/** What became of it; `lost`: what was not answered with 200. */
export interface Played extends Outcome {
  readonly lost: number;
}

interface Pace {
  readonly faster: number;
  readonly ms: number;
  readonly targetMs: number;
}

const SAMPLE_MS = 500;
const SEED = 1;
/** Of this machine: then a connection is given up, before Rouse closes it, whose clock goes faster. */
const IDLE_MS = 2000;

/** Plays all at the same time, so many times faster, each for so many ms of its shape; whoever has the same shape gets the same. */
export async function playAll(
  rouse: Rouse,
  runs: readonly Run[],
  { faster, ms, targetMs }: Pace,
): Promise<readonly Played[]> {
  const begun = performance.now();
  const now = (): number => (performance.now() - begun) * faster;
  const instanceMs = new Map<string, number>();
  let sampledAt = 0;
  const sample = (): void => {
    const since = Math.max(sampledAt, WARM_UP_MS);
    sampledAt = Math.min(now(), ms);
    if (sampledAt <= since) return;
    for (const { model } of instancesOf(rouse.pid)) {
      instanceMs.set(model, (instanceMs.get(model) ?? 0) + sampledAt - since);
    }
  };
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    return await Promise.all(
      runs.map(async (run) => {
        const judged = await play(rouse, run, { now, faster, ms, targetMs });
        return { ...judged, instanceSeconds: (instanceMs.get(run.model) ?? 0) / 1000 };
      }),
    );
  } finally {
    clearInterval(timer);
  }
}

async function play(
  rouse: Rouse,
  { model, shape }: Run,
  { now, faster, ms, targetMs }: Pace & { now: () => number },
): Promise<Omit<Played, 'instanceSeconds'>> {
  const roll = makeRoll(SEED);
  const times = createTimes(ms);
  const idle: { readonly caller: Caller; readonly since: number }[] = [];
  const asked: Promise<void>[] = [];
  let lost = 0;

  function takeIdle(): Caller | undefined {
    for (;;) {
      const last = idle.pop();
      if (!last || performance.now() - last.since < IDLE_MS) return last?.caller;
      last.caller.close();
    }
  }

  async function ask(at: number, path: string): Promise<void> {
    const caller = takeIdle() ?? (await createCaller(rouse.port));
    const { status } = await caller.ask(makeRequest(hostOf(model), path));
    idle.push({ caller, since: performance.now() });
    if (status !== 200) throw new Error(`${model}: ${status}`);
    times.add(at, now() - at);
  }

  for (let at = 0; at < ms; at = drawNext(shape, at, roll)) {
    const { alone, computing } = drawWork(shape, at, roll);
    const early = (at - now()) / faster;
    if (early > 0) await pause(early);
    const path = `/${alone.toFixed(3)}/${(computing * 100).toFixed(0)}`;
    asked.push(
      ask(at, path).catch(() => {
        lost++;
        times.add(at, Infinity);
      }),
    );
  }
  await Promise.all(asked);
  for (const { caller } of idle) caller.close();
  return { ...times.judge(targetMs), lost };
}
