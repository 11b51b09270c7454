/** Time as a parameter. Everything that waits or asks the hour takes one of these. */
export interface Clock {
  /** Milliseconds since the epoch, with fractions. */
  now(): number;
  /** Calls `run` once after `ms`. The timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** It does not change; reading it each time would cost more than the rest of `now`. */
const ORIGIN = performance.timeOrigin;

function after(ms: number, run: () => void): Timer {
  const timer = setTimeout(run, ms);
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
}

/** For how long things take: it never jumps. When the system's clock is set, or the machine sleeps, it is off from then on. */
export const systemClock: Clock = { now: () => ORIGIN + performance.now(), after };

/** For what is due at an hour, and for times that others compare with their own: it jumps when the system's clock is set. */
export const wallClock: Clock = { now: () => Date.now(), after };
