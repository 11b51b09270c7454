import type { QueryEvidence, RolloutMemory, RolloutMetric } from '#domain/rollout.ts';
import { faultOfValue, type Sighting } from '../scaling/signals.ts';
import { addSpread, NO_SPREAD, weighMean } from './difference.ts';

/** What others are asked for, at each look. */
export type QueryMetric = Extract<RolloutMetric, { metric: 'prometheus' | 'hook' }>;
type Value = Pick<Sighting, 'value' | 'at' | 'missing'>;

/** What a query or hook says of both sides now. */
export interface QueryReading {
  /** See `queryOf`. */
  readonly query: string;
  readonly stable: Value;
  readonly canary: Value;
  /** New values are due this often, ms. */
  readonly every: number;
}

/** What is measured of anything; squares of it can still be added up. */
const LARGEST = 1e15;

export function isQuery(metric: RolloutMetric): metric is QueryMetric {
  return metric.metric === 'prometheus' || metric.metric === 'hook';
}

/** By what its values are known: the query, or the address of the hook, which is no query of any Prometheus. */
export function queryOf(metric: QueryMetric): string {
  return metric.metric === 'hook' ? metric.url : metric.query;
}

export function findEvidence(
  { queries = [] }: Pick<RolloutMemory, 'queries'>,
  query: string,
): QueryEvidence {
  const none = { query, at: 0, count: 0, stable: 0, canary: 0, squares: 0 };
  return queries.find((each) => each.query === query) ?? none;
}

/** One pair more, if it is of the same time, and of another one than the last. What cannot be believed is left out by name. */
export function addReading(
  before: QueryEvidence,
  reading: QueryReading | undefined,
  now: number,
): QueryEvidence {
  const missing = reading ? faultOf(reading, now) : 'it was not asked for yet';
  if (!reading || missing !== undefined) return { ...before, missing: missing! };
  const { missing: _, ...rest } = before;
  const [stable, canary] = [reading.stable.value!, reading.canary.value!];
  // Both are newer than all that was counted: they are not asked for in the same moment.
  const times = [reading.stable.at, reading.canary.at];
  if (Math.min(...times) <= before.at) return rest;
  return {
    ...rest,
    at: Math.max(...times),
    count: before.count + 1,
    stable: before.stable + stable,
    canary: before.canary + canary,
    squares: before.squares + (canary - stable) ** 2,
  };
}

/** Logarithms of e-values: against "not worse", and against "worse by the margin or more", on the average of the pairs. */
export function weighQuery(
  { count, stable, canary, squares }: QueryEvidence,
  { goal, margin }: Pick<QueryMetric, 'goal' | 'margin'>,
): { worse: number; fine: number } {
  if (count === 0) return { worse: 0, fine: 0 };
  const sum = goal === 'higher' ? canary - stable : stable - canary;
  const gains = addSpread(NO_SPREAD, { count, sum, sumSquares: squares });
  return {
    worse: weighMean(gains, 0, margin).below,
    fine: weighMean(gains, -margin, margin).above,
  };
}

/** `0.021 against 0.02, on the average of 34 looks`. */
export function describeQuery({ count, stable, canary }: QueryEvidence): string {
  return `${meanOf(canary, count)} against ${meanOf(stable, count)}, on the average of ${count} looks`;
}

function meanOf(sum: number, count: number): number {
  return count === 0 ? 0 : Number((sum / count).toPrecision(4));
}

function faultOf({ stable, canary, every }: QueryReading, now: number): string | undefined {
  const ours = faultOfOne(canary, every, now);
  if (ours !== undefined) return `it ${ours} for the canary`;
  const theirs = faultOfOne(stable, every, now);
  if (theirs !== undefined) return `it ${theirs} for the stable one`;
  return Math.abs(stable.at - canary.at) > every ? 'it has values of different times' : undefined;
}

function faultOfOne(value: Value, every: number, now: number): string | undefined {
  const fault = faultOfValue(value, every, now);
  if (fault !== undefined) return fault;
  return Math.abs(value.value!) > LARGEST ? `is ${value.value}` : undefined;
}
