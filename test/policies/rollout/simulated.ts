import { LATENCY_BUCKETS, latencyBound } from '#domain/latency.ts';
import { type Outcomes, rollout, type RolloutSpec } from '#domain/rollout.ts';
import {
  beginRollout,
  decideRollout,
  type RolloutDecision,
  stepsOf,
} from '#policies/rollout/decide.ts';
import type { Stratum, Values } from '#policies/rollout/difference.ts';
import type { Measures } from '#policies/rollout/judge.ts';
import { createRandom } from '#test/fuzz/random.ts';

/** A number from 0 to 1, 1 excluded. */
export type Roll = () => number;

/** What one side brings in one interval. */
export type Side = (roll: Roll, count: number, interval: number) => Arm;
interface Arm {
  readonly outcomes: Outcomes;
  readonly labels?: Values;
  /** What the query says. */
  readonly value?: number;
}

export interface Ended {
  readonly kind: RolloutDecision['kind'];
  /** Requests that each side would have had if both had had as many: what decides how much can be told. */
  readonly each: number;
}

const INTERVAL_MS = 60_000;
export const QUERY = 'errors{of="${revision}"}';
const SIZE = { memory: 1, concurrency: 1 };

/** A rollout from its first look until it ends, or until each side has had `most`. */
export function simulate(
  written: Parameters<typeof rollout.parse>[0],
  { stable, canary }: { stable: Side; canary: Side },
  { seed, perInterval, most }: { seed: number; perInterval: number; most: number },
): Ended {
  const spec: RolloutSpec = rollout.parse(written);
  const random = createRandom(seed, 0);
  const roll = (): number => random.next();
  const strata: Stratum[] = [];
  const measures: Measures = new Map([['accuracy', strata]]);
  let memory = beginRollout(0);
  let percent = stepsOf(spec)[0] ?? 0;
  let each = 0;
  for (let interval = 1; each < most; interval++) {
    const count = Math.max(1, Math.round((perInterval * percent) / 100));
    each += (2 * count * (perInterval - count)) / perInterval;
    const arms = {
      stable: stable(roll, perInterval - count, interval),
      canary: canary(roll, count, interval),
    };
    if (arms.stable.labels && arms.canary.labels) {
      strata.push({ stable: arms.stable.labels, canary: arms.canary.labels });
    }
    const outcomes = { stable: arms.stable.outcomes, canary: arms.canary.outcomes };
    const now = interval * INTERVAL_MS;
    const said = {
      stable: { value: arms.stable.value, at: now },
      canary: { value: arms.canary.value, at: now },
    };
    const queries = [{ query: QUERY, every: INTERVAL_MS, ...said }];
    const sizes = { stable: SIZE, canary: SIZE };
    const seen = { ...outcomes, measures, sizes, queries, paused: false };
    const decided = decideRollout(spec, seen, memory, now);
    memory = decided.memory;
    const { decision } = decided;
    if (decision.kind === 'promote' || decision.kind === 'rollBack') {
      return { kind: decision.kind, each };
    }
    if (decision.kind === 'advance') percent = decision.percent;
  }
  return { kind: 'hold', each };
}

const NONE: Outcomes = { ok: 0, failed: 0, latency: [] };

/** So many labels are right; the chance may depend on the interval. */
export function labels(chance: (interval: number) => number): Side {
  return (roll, count, interval) => {
    const sum = countHits(roll, count, chance(interval));
    return { outcomes: { ...NONE, ok: count }, labels: { count, sum, sumSquares: sum } };
  };
}

export function successes(chance: (interval: number) => number): Side {
  return (roll, count, interval) => {
    const ok = countHits(roll, count, chance(interval));
    return { outcomes: { ...NONE, ok, failed: count - ok } };
  };
}

/** What a query says in each interval: exponential around 1, plus so much. Errors look so. Requests are never short. */
export function values(more: number): Side {
  return (roll) => ({ outcomes: { ...NONE, ok: 100 }, value: more - Math.log(1 - roll()) });
}

/** Log-normal, as times of requests are, with a median of 50 ms times the factor and σ = 0.5. */
export function times(factor: (interval: number) => number): Side {
  const known = new Map<number, Float64Array>();
  return (roll, count, interval) => {
    const now = factor(interval);
    const shares = known.get(now) ?? makeShares(50 * now);
    known.set(now, shares);
    const counts = new Uint32Array(LATENCY_BUCKETS);
    for (let i = 0; i < count; i++) counts[findBucket(shares, roll())]! += 1;
    const latency = Array.from(counts.entries()).filter(([, found]) => found > 0);
    return { outcomes: { ok: count, failed: 0, latency: latency.flat() } };
  };
}

/** Of each bucket: what share of the times is in it or below. */
function makeShares(median: number): Float64Array {
  return Float64Array.from({ length: LATENCY_BUCKETS }, (_, bucket) =>
    normal(Math.log(latencyBound(bucket) / median) / 0.5),
  );
}

function findBucket(shares: Float64Array, roll: number): number {
  let low = 0;
  let high = shares.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shares[middle]! <= roll) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countHits(roll: Roll, count: number, chance: number): number {
  let hits = 0;
  for (let i = 0; i < count; i++) if (roll() < chance) hits += 1;
  return hits;
}

/** The normal distribution function, by its series (G. Marsaglia, 2004): exact to the last digits within ±7. */
function normal(z: number): number {
  if (Math.abs(z) > 7) return z > 0 ? 1 : 0;
  let sum = z;
  let term = z;
  for (let i = 3; Math.abs(term) > 1e-17 * Math.abs(sum); i += 2) sum += term *= (z * z) / i;
  return 0.5 + sum * Math.exp((-z * z) / 2 - 0.9189385332046727);
}
