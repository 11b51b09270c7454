import type { Clock } from '#lib/clock.ts';
import { beginSizing, decideSize, halveSize, type Sizing } from './sizing.ts';

/** Asks the policy for the size of requests, whenever enough was seen of the present one. */
export interface Pace {
  /** Rows of the next request. */
  readonly size: number;
  /** `rows`: that were scored; of a request with bad rows fewer than it had. `ms`: that the model took. */
  answered(rows: number, bytes: number, ms: number): void;
  /** The model did not take a request of so many: there are bad ones among them, or too many. */
  rejected(rows: number): void;
}

/** Fewer say nothing of the rate. */
const LEAST_ANSWERS = 8;
const LEAST_MS = 200;

/** `fixed`: what was asked for. */
export function createPace(fixed: number | undefined, clock: Clock): Pace {
  let sizing = beginSizing();
  /** Of this turn; it begins with the first answer at its size, when those before it have had theirs. */
  let since: number | undefined;
  let rows = 0;
  let largest = 0;
  let times: number[] = [];
  let rejections = 0;

  function begin(next: Sizing): void {
    sizing = next;
    since = undefined;
    rows = 0;
    largest = 0;
    times = [];
    rejections = 0;
  }

  function isOfTurn(count: number): boolean {
    return count <= sizing.size && count > sizing.size / 2;
  }

  return {
    get size() {
      return fixed ?? sizing.size;
    },
    answered(count, bytes, ms) {
      if (fixed !== undefined) return;
      const now = clock.now();
      if (since === undefined) {
        if (isOfTurn(count)) since = now;
        return;
      }
      // Whatever size they had, they were scored in this time.
      rows += count;
      if (!isOfTurn(count)) return;
      largest = Math.max(largest, bytes);
      times.push(ms);
      const elapsed = now - since;
      if (times.length < LEAST_ANSWERS || elapsed < LEAST_MS) return;
      const latencyMs = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
      const rowsPerSecond = (rows * 1000) / elapsed;
      begin(decideSize(sizing, { rowsPerSecond, latencyMs, bytes: largest }));
    },
    rejected(count) {
      if (fixed !== undefined || !isOfTurn(count)) return;
      rejections++;
      // Where most are answered it is bad rows, and smaller requests would have as many.
      if (rejections >= LEAST_ANSWERS && rejections > times.length) begin(halveSize(sizing));
    },
  };
}
