import type { Slot } from './slot.ts';

/**
 * The value of Server-Timing, in milliseconds, and the end of its line. `queue`: waiting that was not spent on a
 * start; `start`: from the decision until the program ran; `load`: until it was ready; `infer`: until the
 * instance's first byte. Only what fell into this request's wait is counted: who joins late did not wait for all
 * of a start.
 */
export function timingOf(
  slot: Slot,
  arrivedAt: number,
  grantedAt: number,
  now: number,
  cold: boolean,
): string {
  const infer = `${hundredths(now - grantedAt)}\r\n`;
  const waited = grantedAt - arrivedAt;
  if (waited <= 0) return `queue;dur=0.00, infer;dur=${infer}`;
  if (!cold) return `queue;dur=${hundredths(waited)}, infer;dur=${infer}`;
  const start = overlap(slot.askedAt, slot.startedAt, arrivedAt, grantedAt);
  const load = overlap(slot.startedAt, slot.readyAt, arrivedAt, grantedAt);
  const queue = hundredths(waited - start - load);
  return `queue;dur=${queue}, start;dur=${hundredths(start)}, load;dur=${hundredths(load)}, infer;dur=${infer}`;
}

function overlap(from: number, to: number, start: number, end: number): number {
  return Math.max(0, Math.min(to, end) - Math.max(from, start));
}

/** With two decimals. Short times, which most are, are looked up: formatting them would cost more than the rest. */
function hundredths(ms: number): string {
  const rounded = ms <= 0 ? 0 : Math.round(ms * 100);
  return SHORT[rounded] ?? (rounded / 100).toFixed(2);
}

const SHORT = Array.from({ length: 2000 }, (_, i) => (i / 100).toFixed(2));
