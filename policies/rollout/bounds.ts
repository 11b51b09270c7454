import { latencyBucket } from '#domain/latency.ts';
import {
  NO_OUTCOMES,
  type Outcomes,
  type RolloutMemory,
  type RolloutMetric,
} from '#domain/rollout.ts';
import { formatDuration } from '#domain/units.ts';
import { addSpread, NO_SPREAD, type Values, weighMean } from './difference.ts';
import { describeMean, isBinary, lackOf, type Measures, nameOf, type Verdict } from './judge.ts';
import { countAbove, countOf, describePercentile, type LatencyMetric } from './latencies.ts';
import { weighOdds } from './odds.ts';
import { describeShare, formatShare } from './share.ts';

/** How sure it is that the canary keeps what the metric bounds, whatever the stable one does; none without a bound. */
export function judgeBound(
  metric: RolloutMetric,
  memory: Pick<RolloutMemory, 'after'>,
  measures: Measures,
  minSamples: number,
): readonly Verdict[] {
  const seen = memory.after ?? NO_OUTCOMES;
  if (metric.metric === 'success') {
    return metric.atLeast === undefined ? [] : [judgeSuccess(metric.atLeast, seen)];
  }
  if (metric.metric === 'latency') {
    return metric.atMost === undefined ? [] : [judgeLatency(metric, metric.atMost, seen)];
  }
  if (metric.metric !== 'custom') return [];
  const ofCanary = (measures.get(metric.measure) ?? []).map(({ canary }) => canary);
  const { bound } = metric;
  return bound === undefined ? [] : [judgeMeasure(metric, bound, ofCanary, minSamples)];
}

function judgeSuccess(bound: number, { ok, failed }: Outcomes): Verdict {
  const count = ok + failed;
  return {
    ...weighOdds(failed, count, 1 - bound),
    isMeasured: false,
    name: 'success',
    text: describeShare({ sum: ok, count }),
    fault: `below ${formatShare(bound)}`,
    margin: `below ${formatShare(bound)}`,
  };
}

/** A bound within a bucket counts as the end of that. */
function judgeLatency(metric: LatencyMetric, bound: number, { latency }: Outcomes): Verdict {
  const slow = countAbove(latency, latencyBucket(bound));
  const count = countOf(latency);
  const limit = formatDuration(bound);
  const share = `${describeShare({ sum: slow, count })} took longer than ${limit}`;
  return {
    ...weighOdds(slow, count, 1 - metric.percentile / 100),
    isMeasured: false,
    name: nameOf(metric),
    text: count === 0 ? share : `${describePercentile(latency, metric.percentile)} (${share})`,
    fault: `above ${limit}`,
    margin: `above ${limit}`,
  };
}

type CustomMetric = Extract<RolloutMetric, { metric: 'custom' }>;

/** Labels that are right or wrong by their odds, other values by their mean, once there are enough. */
function judgeMeasure(
  { measure: name, goal, margin }: CustomMetric,
  bound: number,
  ofCanary: readonly Values[],
  minSamples: number,
): Verdict {
  const seen = ofCanary.filter(({ count }) => count > 0).reduce(addSpread, NO_SPREAD);
  const { sum, count } = seen;
  const enough = count >= minSamples;
  const isHigher = goal === 'higher';
  const isShare = bound > 0 && bound < 1 && ofCanary.every(isBinary);
  const beyond = `${isHigher ? 'below' : 'above'} ${isShare ? formatShare(bound) : bound}`;
  const rest = {
    ...lackOf(enough, minSamples),
    isMeasured: true,
    name,
    fault: beyond,
    margin: beyond,
  };
  if (isShare) {
    const bad = isHigher ? count - sum : sum;
    const odds = weighOdds(bad, count, isHigher ? 1 - bound : bound);
    return { ...odds, ...rest, text: describeShare(seen) };
  }
  const weighed = weighMean(seen, bound, margin);
  const { below, above } = enough ? weighed : { below: 0, above: 0 };
  return {
    worse: isHigher ? below : above,
    fine: isHigher ? above : below,
    ...rest,
    text: describeMean(seen),
  };
}
