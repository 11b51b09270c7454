import {
  NO_OUTCOMES,
  type QueryEvidence,
  type RolloutMemory,
  type RolloutMetric,
} from '#domain/rollout.ts';
import {
  addStratum,
  logFine,
  logWorse,
  NO_DIFFERENCE,
  type Stratum,
  type Values,
} from './difference.ts';
import { shorten } from '../words.ts';
import { type CostEvidence, describeCosts, NO_COST, weighCosts } from './cost.ts';
import {
  describeLatencies,
  type LatencyMetric,
  NO_LATENCIES,
  weighLatencies,
} from './latencies.ts';
import {
  describeQuery,
  findEvidence,
  isQuery,
  type QueryMetric,
  queryOf,
  weighQuery,
} from './queries.ts';
import { addShares, describeShares, formatShare, NO_SHARES, weighShares } from './share.ts';

/** How sure a metric is of the canary. */
export interface Verdict {
  /** Logarithms of e-values: against "not worse", and against "worse by the margin or more". */
  readonly worse: number;
  readonly fine: number;
  /** Why no step is taken yet, however sure it is: `fewer than 100`. */
  readonly lack?: string;
  /** `success`, `latency p95`, a measure's name. */
  readonly name: string;
  /** What was seen. */
  readonly text: string;
  /** What it is if it is bad: `worse`, `below 99 %`. */
  readonly fault: string;
  /** What it shall not be: `worse by 1 %`, `below 99 %`. */
  readonly margin: string;
  /** By what was posted or asked for, not by requests. */
  readonly isMeasured: boolean;
}

/** By name, since the rollout began, each stratum a time that both sides have in common. */
export type Measures = ReadonlyMap<string, readonly Stratum[]>;

export function judge(
  metric: RolloutMetric,
  memory: Pick<RolloutMemory, 'success' | 'latency' | 'cost' | 'queries' | 'after'>,
  measures: Measures,
  minSamples: number,
): Verdict {
  switch (metric.metric) {
    case 'success':
      return judgeSuccess(metric.margin, memory.success ?? NO_SHARES);
    case 'latency':
      return judgeLatency(metric, memory);
    case 'cost':
      return judgeCost(metric, memory.cost ?? NO_COST, minSamples);
    case 'prometheus':
    case 'hook':
      return judgeQuery(metric, findEvidence(memory, queryOf(metric)));
    default:
      return judgeMeasure(metric, measures.get(metric.measure) ?? [], minSamples);
  }
}

export function nameOf(metric: RolloutMetric): string {
  if (metric.metric === 'custom') return metric.measure;
  if (isQuery(metric)) return `${metric.metric} ${shorten(queryOf(metric))}`;
  return metric.metric === 'latency' ? `latency p${metric.percentile}` : metric.metric;
}

function judgeSuccess(margin: number, evidence: NonNullable<RolloutMemory['success']>): Verdict {
  return {
    ...weighShares(evidence, margin),
    name: 'success',
    text: describeShares(evidence.difference),
    fault: 'worse',
    margin: `worse by ${formatShare(margin)}`,
    isMeasured: false,
  };
}

function judgeLatency(
  metric: LatencyMetric,
  { latency, after = NO_OUTCOMES }: Pick<RolloutMemory, 'latency' | 'after'>,
): Verdict {
  const evidence = latency[metric.percentile] ?? NO_LATENCIES;
  return {
    ...weighLatencies(evidence),
    name: nameOf(metric),
    text: describeLatencies(evidence, after.latency, metric.percentile),
    fault: 'worse',
    margin: `slower by the factor ${metric.ratio}`,
    isMeasured: false,
  };
}

/** A few requests say little of a mean. */
function judgeCost(
  { ratio }: Extract<RolloutMetric, { metric: 'cost' }>,
  evidence: CostEvidence,
  minSamples: number,
): Verdict {
  const { stable, canary } = evidence.worse;
  const enough = Math.min(stable.count, canary.count) >= minSamples;
  const { worse, fine } = weighCosts(evidence, ratio);
  return {
    worse: enough ? worse : 0,
    fine,
    ...lackOf(enough, minSamples, evidence.missing),
    name: 'cost',
    text: describeCosts(evidence),
    fault: 'worse',
    margin: `higher by the factor ${ratio}`,
    isMeasured: false,
  };
}

/** While it has no value nothing is known of what goes on now, whatever it said before. */
function judgeQuery(metric: QueryMetric, evidence: QueryEvidence): Verdict {
  const enough = evidence.count >= metric.minSamples;
  const { worse, fine } = weighQuery(evidence, metric);
  return {
    worse: enough ? worse : 0,
    fine,
    ...lackOf(enough, metric.minSamples, evidence.missing),
    name: nameOf(metric),
    text: describeQuery(evidence),
    fault: 'worse',
    margin: `worse by ${metric.margin}`,
    isMeasured: true,
  };
}

/** `missing`: why the last were left out. */
export function lackOf(
  enough: boolean,
  minSamples: number,
  missing?: string,
): Pick<Verdict, 'lack'> {
  const few = enough ? [] : [`fewer than ${minSamples}`];
  const left = missing === undefined ? [] : [`the last are left out: ${missing}`];
  const lacks = [...few, ...left];
  return lacks.length === 0 ? {} : { lack: lacks.join(', ') };
}

type CustomMetric = Extract<RolloutMetric, { metric: 'custom' }>;

/** Labels that were right or wrong are judged exactly; other values by their means, once there are enough. */
function judgeMeasure(
  { measure: name, goal, margin }: CustomMetric,
  measured: readonly Stratum[],
  minSamples: number,
): Verdict {
  const isShare = measured.every(({ stable, canary }) => isBinary(stable) && isBinary(canary));
  const flip = isShare ? flipShare : flipValue;
  const strata =
    goal === 'higher'
      ? measured
      : measured.map(({ stable, canary }) => ({ stable: flip(stable), canary: flip(canary) }));
  const seen = strata.reduce(addStratum, NO_DIFFERENCE);
  const enough = Math.min(seen.stable.count, seen.canary.count) >= minSamples;
  const rest = { ...lackOf(enough, minSamples), name, fault: 'worse', isMeasured: true };
  if (isShare) {
    const shares = strata.reduce(addShares, NO_SHARES);
    const text = describeShares(shares.difference);
    return {
      ...weighShares(shares, margin),
      ...rest,
      text,
      margin: `worse by ${formatShare(margin)}`,
    };
  }
  const sign = goal === 'higher' ? 1 : -1;
  const text = `${describeMean(seen.canary, sign)} against ${describeMean(seen.stable, sign)}`;
  const worse = enough ? logWorse(seen, margin) : 0;
  return { worse, fine: logFine(seen, margin), ...rest, text, margin: `worse by ${margin}` };
}

export function isBinary({ count, sum, sumSquares }: Values): boolean {
  // Of values that are all 0 or 1, and of hardly any others.
  return sum === sumSquares && Number.isInteger(sum) && sum >= 0 && sum <= count;
}

function flipShare({ count, sum }: Values): Values {
  return { count, sum: count - sum, sumSquares: count - sum };
}

function flipValue({ count, sum, sumSquares }: Values): Values {
  return { count, sum: -sum, sumSquares };
}

const DIGITS = 4;

export function describeMean({ sum, count }: { sum: number; count: number }, sign = 1): string {
  const mean = count === 0 ? 0 : (sign * sum) / count;
  return `${Number(mean.toPrecision(DIGITS))} on the average of ${count}`;
}
