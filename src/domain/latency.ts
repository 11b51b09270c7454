/**
 * Times of requests in geometric buckets, so that data planes can tell them in few numbers and any quantile is known
 * within a tenth. Bucket i holds what is above the bound of bucket i - 1 and at most its own.
 */

const GROWTH = 1.1;
/** From 1 ms to 24 minutes; the last one also holds what is longer. */
export const LATENCY_BUCKETS = 150;
const BY_LOG = 1 / Math.log(GROWTH);

export function latencyBucket(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log(ms) * BY_LOG - 1e-9));
}

/** Upper bound of a bucket, ms. */
export function latencyBound(bucket: number): number {
  return GROWTH ** bucket;
}

/**
 * The time that a share of what was counted does not pass, ms; undefined: nothing was counted. Within a bucket what was
 * counted is taken to be spread evenly.
 */
export function latencyQuantile(counts: ArrayLike<number>, share: number): number | undefined {
  let all = 0;
  for (let i = 0; i < counts.length; i++) all += counts[i]!;
  if (all === 0) return undefined;
  let left = share * all;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count >= left && count > 0) {
      const from = i === 0 ? 0 : latencyBound(i - 1);
      return from + (latencyBound(i) - from) * Math.max(0, left / count);
    }
    left -= count;
  }
  return latencyBound(counts.length - 1);
}

/** Sums counts that are told as pairs of bucket and count; in the order of buckets. */
export function addPairs(a: readonly number[], b: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const pairs of [a, b]) {
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      counts.set(pairs[at]!, (counts.get(pairs[at]!) ?? 0) + pairs[at + 1]!);
    }
  }
  return Array.from(counts)
    .toSorted(([one], [other]) => one - other)
    .flat();
}
