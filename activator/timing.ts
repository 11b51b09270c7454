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
  const infer = hundredths(now - grantedAt);
  const waited = grantedAt - arrivedAt;
  if (!cold) return `queue;dur=${hundredths(waited)}, infer;dur=${infer}`;
  const start = overlap(slot.askedAt, slot.startedAt, arrivedAt, grantedAt);
  const load = overlap(slot.startedAt, slot.readyAt, arrivedAt, grantedAt);
  const queue = hundredths(waited - start - load);
  return `queue;dur=${queue}, start;dur=${hundredths(start)}, load;dur=${hundredths(load)}, infer;dur=${infer}`;
}

function overlap(from: number, to: number, start: number, end: number): number {
  return Math.max(0, Math.min(to, end) - Math.max(from, start));
}

/** With two decimals, by integers: `toFixed` would be a fifth of a warm request's own work. */
function hundredths(ms: number): string {
  const all = ms <= 0 ? 0 : Math.round(ms * 100);
  const rest = all % 100;
  return `${(all - rest) / 100}${DECIMALS[rest]!}`;
}

const DECIMALS = Array.from({ length: 100 }, (_, i) => `.${i < 10 ? '0' : ''}${i}`);
