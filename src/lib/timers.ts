import type { Clock, Timer } from './clock.ts';

/** Timers of one owner, which end with it. */
export class Timers {
  private readonly clock: Clock;
  private readonly running = new Set<Timer>();
  private closed = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `run` once after `ms`; the function that is returned cancels it. */
  after(ms: number, run: () => void): () => void {
    if (this.closed) return () => {};
    const timer = this.clock.after(ms, () => {
      this.running.delete(timer);
      run();
    });
    this.running.add(timer);
    return () => {
      this.running.delete(timer);
      timer.cancel();
    };
  }

  /** Calls `step` again and again, `ms` after it has returned. */
  every(ms: number, step: () => void): void {
    this.after(ms, () => {
      step();
      this.every(ms, step);
    });
  }

  /** No call comes any more. */
  close(): void {
    this.closed = true;
    for (const timer of this.running) timer.cancel();
    this.running.clear();
  }
}
