import { addPairs, LATENCY_BUCKETS, latencyBound } from '#domain/latency.ts';
import type { LatencyEvidence, Outcomes, RolloutMetric } from '#domain/rollout.ts';
import { formatDuration } from '#domain/units.ts';
import { bet, logEvidence, NO_BETS } from './odds.ts';
import { formatShare } from './share.ts';

export type LatencyMetric = Extract<RolloutMetric, { metric: 'latency' }>;
type Pairs = Outcomes['latency'];

const NOTHING = { ok: 0, failed: 0 };
export const NO_LATENCIES: LatencyEvidence = {
  worse: NO_BETS,
  fine: NO_BETS,
  seen: [],
  limit: 0,
  stable: NOTHING,
  canary: NOTHING,
};

/** A percentile of fewer is none. */
export const LEAST_SEEN = 100;
/** Bounds of buckets are not exact in binary. */
const ROUNDING = 1e-6;

/**
 * Counts how many took longer than the stable one's percentile, on both sides and in the same time: a sign test, and
 * so a matter of odds again. Where the percentile is says what the stable one took until then. That it is not slower
 * by the ratio: of the canary's requests no more take longer than the ratio times that, than of the stable one's take
 * longer than that itself.
 */
export function addLatencies(
  before: LatencyEvidence,
  stable: Pairs,
  canary: Pairs,
  metric: LatencyMetric,
): LatencyEvidence {
  const seen = addPairs(before.seen, stable);
  const known = countOf(before.seen) >= LEAST_SEEN ? before.seen : seen;
  if (countOf(known) < LEAST_SEEN) return { ...before, seen };
  const limit = percentileOf(known, metric.percentile / 100);
  const slow = countAbove(stable, limit);
  const all = { stable: countOf(stable), canary: countOf(canary) };
  const slower = countAbove(canary, limit);
  const muchSlower = countAbove(canary, timesRatio(limit, metric.ratio));
  return {
    worse: bet(before.worse, {
      events: slower,
      trials: all.canary,
      otherEvents: slow,
      otherTrials: all.stable,
    }),
    fine: bet(before.fine, {
      events: slow,
      trials: all.stable,
      otherEvents: muchSlower,
      otherTrials: all.canary,
    }),
    seen,
    limit,
    stable: addCounts(before.stable, all.stable - slow, slow),
    canary: addCounts(before.canary, all.canary - slower, slower),
  };
}

export function weighLatencies({ worse, fine }: LatencyEvidence): { worse: number; fine: number } {
  return { worse: logEvidence(worse), fine: logEvidence(fine) };
}

/**
 * `132ms against 104ms (13 % of 1204 took longer than 110ms, against 5 % of 8310)`: the percentiles of both, and what they are
 * judged by.
 *
 * @param ofCanary its times, as long as there is evidence.
 */
export function describeLatencies(
  { seen, limit, stable, canary }: LatencyEvidence,
  ofCanary: Pairs,
  percentile: number,
): string {
  if (countOf(seen) < LEAST_SEEN)
    return `${countOf(seen)} of ${LEAST_SEEN} that a percentile needs`;
  const shown = formatDuration(latencyBound(limit));
  const shares = `${describeSlow(canary)} took longer than ${shown}, against ${describeSlow(stable)}`;
  if (countOf(ofCanary) === 0) return shares;
  const percentiles = [ofCanary, seen].map((pairs) => describePercentile(pairs, percentile));
  return `${percentiles.join(' against ')} (${shares})`;
}

/** `132ms`, of some at least. */
export function describePercentile(pairs: Pairs, percentile: number): string {
  return formatDuration(latencyBound(percentileOf(pairs, percentile / 100)));
}

function describeSlow({ ok, failed }: LatencyEvidence['stable']): string {
  const count = ok + failed;
  return `${formatShare(count === 0 ? 0 : failed / count)} of ${count}`;
}

export function countOf(pairs: Pairs): number {
  return countAbove(pairs, -1);
}

export function countAbove(pairs: Pairs, bucket: number): number {
  let count = 0;
  for (let at = 0; at + 1 < pairs.length; at += 2) if (pairs[at]! > bucket) count += pairs[at + 1]!;
  return count;
}

/** The first bucket with no more than the rest above it. Pairs in the order of buckets. */
function percentileOf(pairs: Pairs, share: number): number {
  const count = countOf(pairs);
  // Nine tenths are not exact in binary either.
  const rest = count * (1 - share + ROUNDING);
  let above = count;
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    above -= pairs[at + 1]!;
    if (above <= rest) return pairs[at]!;
  }
  return LATENCY_BUCKETS - 1;
}

/** The last bucket that ends at no more than the ratio times where this one does. */
function timesRatio(bucket: number, ratio: number): number {
  const limit = latencyBound(bucket) * ratio * (1 + ROUNDING);
  let found = bucket;
  while (found + 1 < LATENCY_BUCKETS && latencyBound(found + 1) <= limit) found += 1;
  return found;
}

function addCounts(
  before: LatencyEvidence['stable'],
  ok: number,
  failed: number,
): LatencyEvidence['stable'] {
  return { ok: before.ok + ok, failed: before.failed + failed };
}
