import type { Slot } from './slot.ts';

/**
 * The value of Server-Timing, in milliseconds. `queue`: waiting that was not spent on a start; `start`: from
 * the decision until the program ran; `load`: until it was ready; `infer`: until the instance's first byte.
 * Only what fell into this request's wait is counted: who joins late did not wait for all of a start.
 */
export function timingOf(
  slot: Slot,
  arrivedAt: number,
  grantedAt: number,
  now: number,
  cold: boolean,
): string {
  const infer = `infer;dur=${(now - grantedAt).toFixed(2)}`;
  const waited = grantedAt - arrivedAt;
  if (!cold) return `queue;dur=${waited.toFixed(2)}, ${infer}`;
  const start = overlap(slot.askedAt, slot.startedAt, arrivedAt, grantedAt);
  const load = overlap(slot.startedAt, slot.readyAt, arrivedAt, grantedAt);
  const queue = Math.max(0, waited - start - load);
  return `queue;dur=${queue.toFixed(2)}, start;dur=${start.toFixed(2)}, load;dur=${load.toFixed(2)}, ${infer}`;
}

function overlap(from: number, to: number, start: number, end: number): number {
  return Math.max(0, Math.min(to, end) - Math.max(from, start));
}
