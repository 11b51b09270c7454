/** Weight of the newest request in the mean time that one takes. */
const SERVICE_WEIGHT = 0.1;

/** `busyMs`: request-milliseconds in flight. `meanConcurrency`: of in flight plus waiting. */
export interface Means {
  readonly busyMs: number;
  readonly meanConcurrency: number;
}

/**
 * Time-weighted means of what one gate has in flight and waiting.
 *
 * Invariant: before either number changes, `advance` is told how both were until then.
 */
export class ConcurrencyMeter {
  /** Mean time that a request takes at an instance, ms; undefined: none has ended yet. */
  serviceMs: number | undefined;
  /** Of in flight plus waiting, since the last `take`; request-milliseconds. */
  private totalMs = 0;
  /** Of in flight alone. */
  private busyMs = 0;
  /** Of in flight, since the last request ended. */
  private spentMs = 0;
  private at: number;

  constructor(now: number) {
    this.at = now;
  }

  /** Nothing was in flight or waited since the last `take`, as far as it was told. */
  get isEmpty(): boolean {
    return this.totalMs === 0;
  }

  /** Until `now` there were so many. */
  advance(now: number, inFlight: number, waiting: number): void {
    const elapsed = now - this.at;
    if (elapsed <= 0) return;
    this.at = now;
    this.busyMs += inFlight * elapsed;
    this.spentMs += inFlight * elapsed;
    this.totalMs += (inFlight + waiting) * elapsed;
  }

  /** A request has ended. By Little's law what all spend in flight between two ends is, on the average, what one takes. */
  end(): void {
    const spent = this.spentMs;
    this.spentMs = 0;
    this.serviceMs = spent + ((this.serviceMs ?? spent) - spent) * (1 - SERVICE_WEIGHT);
  }

  /** Since `since`, ms: the last call, or later if nothing was in flight or waited in between. */
  take(since: number): Means {
    const elapsed = Math.max(1, this.at - since);
    const means = { busyMs: this.busyMs, meanConcurrency: this.totalMs / elapsed };
    this.busyMs = 0;
    this.totalMs = 0;
    return means;
  }
}
