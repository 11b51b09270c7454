import type { RevisionLoad } from '#bus/messages.ts';
import { labelsOf } from '#lib/prometheus.ts';
import { Histogram, REQUEST_SECONDS } from './histogram.ts';
import { Outcomes } from './outcomes.ts';
import { ShadowCounts, type ShadowOutcome } from './shadow-counts.ts';
import { FAILED, UNJUDGED, type Verdict } from './verdict.ts';

/** Status codes 100–599. */
export const FIRST_CODE = 100;
const CODES = 500;

/** Counters of one revision: typed arrays that the warm path adds to, made into text when scraped. Times in ms. */
export class RevisionMetrics {
  readonly labels: string;
  readonly codes = new Uint32Array(CODES);
  readonly duration = new Histogram(REQUEST_SECONDS);
  readonly wait = new Histogram(REQUEST_SECONDS);
  coldRequests = 0;
  /** Of copies that it got; undefined: none were made for it. */
  shadow: ShadowCounts | undefined;
  // Since the last load report
  private arrivals = 0;
  private coldArrivals = 0;
  private coldMs = 0;
  private readonly outcomes = new Outcomes();

  constructor(namespace: string, model: string, revision: string) {
    this.labels = labelsOf({ namespace, model, revision });
  }

  /** A request came. */
  arrived(): void {
    this.arrivals += 1;
  }

  /** A status was sent, or is what stands for having sent none. */
  countStatus(status: number): void {
    this.codes[status - FIRST_CODE]! += 1;
  }

  /** An instance begins to answer, to a request that was granted a slot `waitedMs` after it came. */
  answered(status: number, waitedMs: number, isCold: boolean): void {
    this.countStatus(status);
    this.wait.add(waitedMs / 1000);
    this.outcomes.answered(waitedMs);
    if (!isCold) return;
    this.coldRequests += 1;
    this.coldArrivals += 1;
    this.coldMs += waitedMs;
  }

  /** A request is over, `ms` after it came. */
  ended(verdict: Verdict, isCold: boolean, ms: number): void {
    this.duration.add(ms / 1000);
    if (verdict !== UNJUDGED) this.outcomes.ended(verdict === FAILED, isCold, ms);
  }

  /** What became of a copy that was made for it. */
  copied(outcome: ShadowOutcome): ShadowCounts {
    this.shadow ??= new ShadowCounts();
    this.shadow.count(outcome);
    return this.shadow;
  }

  /** It was asked with a copy: those who judge it are told how it did. */
  copyEnded(isFailed: boolean, ms: number): void {
    this.outcomes.ended(isFailed, false, ms);
  }

  get hasArrivals(): boolean {
    return this.arrivals > 0;
  }

  /** What was counted since the last call, for a load report. */
  takeLoad(): TakenLoad {
    const { arrivals, coldArrivals, coldMs } = this;
    this.arrivals = 0;
    this.coldArrivals = 0;
    this.coldMs = 0;
    return { arrivals, coldArrivals, coldSeconds: coldMs / 1000, ...this.outcomes.take() };
  }
}

type TakenLoad = Pick<RevisionLoad, 'arrivals' | 'coldArrivals' | 'coldSeconds'> &
  ReturnType<Outcomes['take']>;
