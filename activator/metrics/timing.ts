import type { StartTimes } from '#domain/cold-start.ts';

/** What the responses of one revision carry, up to the parts that differ. */
export interface ResponseFields {
  readonly warm: string;
  readonly cold: string;
  /** Of a request that did not wait, up to the time of `infer`. */
  readonly unheld: string;
}

export function makeResponseFields(revision: string): ResponseFields {
  const name = `Rouse-Revision: ${revision}\r\nRouse-Cold-Start: `;
  const warm = `${name}false\r\nServer-Timing: `;
  const cold = `${name}true\r\nServer-Timing: `;
  return { warm, cold, unheld: `${warm}queue;dur=0.00, infer;dur=` };
}

/**
 * The value of Server-Timing for a request that waited, in milliseconds, before the time of `infer`. `queue`:
 * waiting that was not spent on a start; `start`: from the decision until the program ran; `load`: until it was
 * ready; `infer`: until the instance's first byte. Only what fell into this request's wait is counted: who joins
 * late did not wait for all of a start.
 */
export function timingOf(
  times: StartTimes,
  arrivedAt: number,
  grantedAt: number,
  cold: boolean,
): string {
  if (!cold) return `queue;dur=${hundredths(grantedAt - arrivedAt)}, infer;dur=`;
  const queue = hundredths(queueMs(times, arrivedAt, grantedAt));
  const start = hundredths(startMs(times, arrivedAt, grantedAt));
  const load = hundredths(loadMs(times, arrivedAt, grantedAt));
  return `queue;dur=${queue}, start;dur=${start}, load;dur=${load}, infer;dur=`;
}

/** Of the wait for an instance that started meanwhile, what was not spent on its start. */
export function queueMs(times: StartTimes, arrivedAt: number, grantedAt: number): number {
  const spent = startMs(times, arrivedAt, grantedAt) + loadMs(times, arrivedAt, grantedAt);
  return grantedAt - arrivedAt - spent;
}

function startMs({ askedAt, startedAt }: StartTimes, from: number, to: number): number {
  return overlap(askedAt, startedAt, from, to);
}

function loadMs({ startedAt, readyAt }: StartTimes, from: number, to: number): number {
  return overlap(startedAt, readyAt, from, to);
}

function overlap(from: number, to: number, start: number, end: number): number {
  return Math.max(0, Math.min(to, end) - Math.max(from, start));
}

/** With two decimals. Short times, which most are, are looked up: formatting them would cost more than the rest. */
export function hundredths(ms: number): string {
  const rounded = ms <= 0 ? 0 : Math.round(ms * 100);
  return SHORT[rounded] ?? (rounded / 100).toFixed(2);
}

const SHORT = Array.from({ length: 2000 }, (_, i) => (i / 100).toFixed(2));
