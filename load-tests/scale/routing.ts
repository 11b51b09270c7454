import { call, type Target } from './calls.ts';
import { folderFor, nameOf } from './models.ts';
import { type Figure, figureOf, quantile, rotate } from '../measure/figures.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';

const ROUNDS = 9;
const REQUESTS = 3000;
const AT_ONCE = 8;
/** Spreads the names that are asked for over all that there are: a prime that divides no usual number of models. */
const STRIDE = 7919;

/** One kind of request against the Rouse with many models, and as a ratio to the one with a single model. */
export interface Routing {
  readonly what: string;
  readonly cpuMicros: { readonly one: Figure; readonly many: Figure; readonly ratio: Figure };
  readonly latencyMs: { readonly one: Figure; readonly many: Figure; readonly ratio: Figure };
}

interface Side {
  readonly rouse: Rouse;
  readonly models: number;
}

interface Burst {
  cpuMicros: number;
  latencyMs: number;
}

/** Both run at the same time and are asked in turns. */
export async function measureRouting(
  parent: string,
  models: number,
): Promise<{ routing: Routing[]; errors: string[] }> {
  const one = { rouse: await startRouse(folderFor(parent, 1), true), models: 1 };
  const many = { rouse: await startRouse(folderFor(parent, models), true), models };
  const errors: string[] = [];
  try {
    const routing = [
      await compare('warm request to one model, by host', [one, many], errors, toHost),
      await compare('metadata of any model, by path', [one, many], errors, toMetadata),
    ];
    return { routing, errors };
  } finally {
    await one.rouse.stop();
    await many.rouse.stop();
  }
}

function toHost(): Target {
  return { path: '/', host: `${nameOf(0)}.default.localhost` };
}

function toMetadata(index: number, models: number): Target {
  return { path: `/v2/models/${nameOf((index * STRIDE) % models)}/ready`, host: 'localhost' };
}

async function compare(
  what: string,
  sides: readonly [Side, Side],
  errors: string[],
  target: (index: number, models: number) => Target,
): Promise<Routing> {
  const bursts = new Map<Side, Burst[]>(sides.map((side) => [side, []]));
  for (const side of sides) await burst(side, target, errors);
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of rotate(sides, round)) {
      bursts.get(side)?.push(await burst(side, target, errors));
    }
  }
  const [one = [], many = []] = sides.map((side) => bursts.get(side));
  const figures = (of: keyof Burst): { one: Figure; many: Figure; ratio: Figure } => ({
    one: figureOf(one.map((each) => each[of])),
    many: figureOf(many.map((each) => each[of])),
    ratio: figureOf(many.map((each, round) => each[of] / (one[round]?.[of] ?? 1))),
  });
  return { what, cpuMicros: figures('cpuMicros'), latencyMs: figures('latencyMs') };
}

/** CPU is that of the data plane's thread. */
async function burst(
  { rouse, models }: Side,
  target: (index: number, models: number) => Target,
  errors: string[],
): Promise<Burst> {
  const before = await rouse.sample();
  const calls = await call(rouse.port, REQUESTS, AT_ONCE, (index) => target(index, models));
  const after = await rouse.sample();
  errors.push(...calls.errors);
  return {
    cpuMicros: (after.cpuMicros.plane - before.cpuMicros.plane) / REQUESTS,
    latencyMs: quantile(calls.latenciesMs, 0.5),
  };
}
