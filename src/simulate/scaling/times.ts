/** Until then nothing is counted: what there is at the beginning is nobody's decision. */
export const WARM_UP_MS = 60_000;
const WINDOW_MS = 10_000;
/** Of all requests of a window, by when they came. */
const SHARE = 0.95;

/** See `Outcome`. */
interface Judged {
  readonly requests: number;
  readonly windows: number;
  readonly good: number;
}

/** What requests took, by the window in which they came; the last window has no time to end. */
export function createTimes(end: number): {
  add(at: number, took: number): void;
  judge(targetMs: number): Judged;
} {
  const windows = new Map<number, number[]>();
  let requests = 0;
  return {
    add(at, took) {
      requests++;
      if (at < WARM_UP_MS || at >= end - WINDOW_MS) return;
      const window = Math.floor(at / WINDOW_MS);
      const times = windows.get(window) ?? [];
      times.push(took);
      windows.set(window, times);
    },
    judge(targetMs) {
      let good = 0;
      for (const times of windows.values()) {
        const slow = times.filter((took) => took > targetMs).length;
        if (slow <= (1 - SHARE) * times.length) good++;
      }
      return { requests, windows: windows.size, good };
    },
  };
}
