import type { Clock } from '#lib/clock.ts';
import { beginSizing, decideSize } from './sizing.ts';

/** Asks the policy for the size of requests, whenever enough was seen of the present one. */
export interface Pace {
  /** Rows of the next request. */
  readonly size: number;
  /** `ms`: that the model took. */
  answered(rows: number, bytes: number, ms: number): void;
}

/** Fewer say nothing of the rate. */
const LEAST_ANSWERS = 8;
const LEAST_MS = 200;

/** `fixed`: what was asked for. */
export function createPace(fixed: number | undefined, clock: Clock): Pace {
  let sizing = beginSizing();
  let since = clock.now();
  let rows = 0;
  let largest = 0;
  let times: number[] = [];

  function begin(): void {
    since = clock.now();
    rows = 0;
    largest = 0;
    times = [];
  }

  return {
    get size() {
      return fixed ?? sizing.size;
    },
    answered(count, bytes, ms) {
      // Of the size before, or the rest of what was read.
      if (fixed !== undefined || count !== sizing.size) return;
      rows += count;
      largest = Math.max(largest, bytes);
      times.push(ms);
      const elapsed = clock.now() - since;
      if (times.length < LEAST_ANSWERS || elapsed < LEAST_MS) return;
      const latencyMs = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
      sizing = decideSize(sizing, {
        rowsPerSecond: (rows * 1000) / elapsed,
        latencyMs,
        bytes: largest,
      });
      begin();
    },
  };
}
