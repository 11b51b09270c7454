/** When an instance was asked for, ran, and could take requests; ms. */
interface StartTimes {
  readonly askedAt: number;
  readonly startedAt: number;
  readonly readyAt: number;
}

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
  const waited = grantedAt - arrivedAt;
  if (!cold) return `queue;dur=${hundredths(waited)}, infer;dur=`;
  const start = overlap(times.askedAt, times.startedAt, arrivedAt, grantedAt);
  const load = overlap(times.startedAt, times.readyAt, arrivedAt, grantedAt);
  const queue = hundredths(waited - start - load);
  return `queue;dur=${queue}, start;dur=${hundredths(start)}, load;dur=${hundredths(load)}, infer;dur=`;
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
