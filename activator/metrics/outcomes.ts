import { LATENCY_BUCKETS, latencyBucket } from '#domain/latency.ts';
import type { RevisionLoad } from '#bus/messages.ts';

type Told = Pick<RevisionLoad, 'ok' | 'failed' | 'latency' | 'waits'>;

/**
 * What became of a revision's requests since the last load report, for those who judge it. Cold ones are left out, for
 * a cold start is no fault of a revision. Counting allocates nothing; only what there is to tell is told.
 */
export class Outcomes {
  private ok = 0;
  private failed = 0;
  private readonly latency = new Uint32Array(LATENCY_BUCKETS);
  private readonly waits = new Uint32Array(LATENCY_BUCKETS);

  /** It begins to be answered, and was granted a slot so many milliseconds after it came. */
  answered(waitedMs: number): void {
    this.waits[latencyBucket(waitedMs)]! += 1;
  }

  /** It was answered, or not, so many milliseconds after it came. */
  ended(isFailed: boolean, isCold: boolean, ms: number): void {
    if (isCold) return;
    if (isFailed) this.failed += 1;
    else {
      this.ok += 1;
      this.latency[latencyBucket(ms)]! += 1;
    }
  }

  take(): Told {
    const { ok, failed } = this;
    const told = {
      ...(ok > 0 && { ok }),
      ...(failed > 0 && { failed }),
      ...(ok > 0 && { latency: takePairs(this.latency) }),
    };
    this.ok = 0;
    this.failed = 0;
    const waits = takePairs(this.waits);
    return waits.length === 0 ? told : { ...told, waits };
  }
}

function takePairs(counts: Uint32Array): number[] {
  const pairs: number[] = [];
  for (const [bucket, count] of counts.entries()) if (count > 0) pairs.push(bucket, count);
  counts.fill(0);
  return pairs;
}
