import type { Clock } from '#lib/clock.ts';

/** Resolves after `ms`; rejects with the signal's reason when that comes first. */
export async function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  try {
    await abortable(promise, signal);
  } finally {
    timer.cancel();
  }
}

/** Of work that may take so long. */
export interface TimeLimit {
  /** Aborted when its time is over, or for the other reason there is. */
  readonly signal: AbortSignal;
  readonly isOver: boolean;
  /** The work is done. */
  close(): void;
}

export function createTimeLimit(clock: Clock, ms: number, other?: AbortSignal | null): TimeLimit {
  const late = new AbortController();
  const timer = clock.after(ms, () => late.abort());
  return {
    signal: other ? AbortSignal.any([other, late.signal]) : late.signal,
    get isOver() {
      return late.signal.aborted;
    },
    close: () => timer.cancel(),
  };
}

/**
 * What `promise` gives; rejects with the signal's reason when that comes first. The work behind the promise
 * goes on then, and how it ends is nobody's business: a rejection of it counts as handled.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    // The abort first: of two that are settled already, it is the one that counts.
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
