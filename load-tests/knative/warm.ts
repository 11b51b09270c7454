import { figureOf, rotate, type Figure } from '../measure/figures.ts';
import { pause } from '../measure/until.ts';
import { type Load, runWrk, type Summary } from '../measure/wrk.ts';
import type { ActivatorName, ActivatorPod } from './activators.ts';
import { headersOf } from './objects.ts';
import type { Extent } from './options.ts';

/** One thread of wrk, as in the figures that the goals were made from. */
const LOAD: Load = { name: 'get-32', method: 'GET', path: '/', bodyBytes: 0, connections: 32 };
/** Before anything is measured: Node compiles what is often run, and these programs run for months. */
const HEAT_SECONDS = 15;
/** Until connections are closed, and what they left has been cleaned up. */
const SETTLE_MS = 500;

/** `direct`: to the pod's queue-proxy, without an activator. */
export type Way = ActivatorName | 'direct';

export interface WarmRow {
  readonly way: Way;
  /** CPU of the activator per request, microseconds; not of `direct`. */
  readonly cpuMicros: Figure | undefined;
  readonly perSecond: Figure;
  readonly p50Micros: Figure;
  readonly p99Micros: Figure;
  readonly failed: number;
}

export interface Warm {
  readonly rows: readonly WarmRow[];
  /** Round by round. */
  readonly ratios: {
    readonly cpuToStock: Figure;
    readonly perSecondToDirect: Figure;
    readonly stockPerSecondToDirect: Figure;
    readonly p99ToStock: Figure;
  };
}

interface Sample {
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly failed: number;
}

interface Target {
  readonly way: Way;
  readonly origin: string;
  readonly cpuMicros: () => number;
}

/** In turns: Knative's activator, ours, none. `pod`: of a service that is awake, its queue-proxy's address. */
export async function measureWarm(
  activators: readonly ActivatorPod[],
  service: string,
  pod: string,
  { wrk, rounds, seconds }: Extent,
): Promise<Warm> {
  const targets: Target[] = activators.map(({ name, host, port, cpuMicros }) => {
    return { way: name, origin: `http://${host}:${port}`, cpuMicros };
  });
  targets.push({ way: 'direct', origin: `http://${pod}:8012`, cpuMicros: () => 0 });
  const ask = async (origin: string, howLong: number): Promise<Summary> =>
    await runWrk(wrk, { origin, headers: headersOf(service) }, LOAD, howLong);
  const measure = async ({ origin, cpuMicros }: Target): Promise<Sample> => {
    await pause(SETTLE_MS);
    const before = cpuMicros();
    const { requests, micros, p50Micros, p99Micros, failed } = await ask(origin, seconds);
    if (requests === 0) throw new Error(`${origin} answered nothing`);
    return {
      cpuMicros: (cpuMicros() - before) / requests,
      perSecond: requests / (micros / 1e6),
      p50Micros,
      p99Micros,
      failed,
    };
  };
  const samples = new Map<Way, Sample[]>(targets.map(({ way }) => [way, []]));
  for (const { origin } of targets) await ask(origin, HEAT_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const target of rotate(targets, round)) {
      samples.get(target.way)?.push(await measure(target));
    }
  }
  return summarise(samples);
}

function summarise(samples: ReadonlyMap<Way, readonly Sample[]>): Warm {
  const ratio = (of: keyof Sample, way: Way, to: Way): Figure => {
    const others = samples.get(to) ?? [];
    return figureOf((samples.get(way) ?? []).map((each, round) => each[of] / others[round]![of]));
  };
  return {
    rows: Array.from(samples, ([way, all]) => ({
      way,
      cpuMicros: way === 'direct' ? undefined : figureOf(all.map((each) => each.cpuMicros)),
      perSecond: figureOf(all.map((each) => each.perSecond)),
      p50Micros: figureOf(all.map((each) => each.p50Micros)),
      p99Micros: figureOf(all.map((each) => each.p99Micros)),
      failed: all.reduce((sum, { failed }) => sum + failed, 0),
    })),
    ratios: {
      cpuToStock: ratio('cpuMicros', 'rouse', 'stock'),
      perSecondToDirect: ratio('perSecond', 'rouse', 'direct'),
      stockPerSecondToDirect: ratio('perSecond', 'stock', 'direct'),
      p99ToStock: ratio('p99Micros', 'rouse', 'stock'),
    },
  };
}
