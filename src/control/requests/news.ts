import type { AsyncRequest } from '#domain/async-request.ts';
import type { Clock, Timer } from '#lib/clock.ts';

/** Another one with each change of a request. */
export function seenOf({ state, attempts }: AsyncRequest): string {
  return `${state}.${attempts}`;
}

/** Who waits for a request to change. */
export interface News {
  changed(id: string): void;
  /** Resolves at the next change, after `ms`, or when `signal` says that nobody waits any more. */
  next(id: string, ms: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createNews(clock: Clock): News {
  const waiting = new Map<string, Set<() => void>>();

  function changed(id: string): void {
    for (const wake of waiting.get(id) ?? []) wake();
  }

  return {
    changed,
    next: (id, ms, signal) =>
      new Promise((resolve) => {
        const others = waiting.get(id) ?? new Set();
        const timer: Timer = clock.after(ms, wake);
        function wake(): void {
          timer.cancel();
          signal.removeEventListener('abort', wake);
          others.delete(wake);
          if (others.size === 0) waiting.delete(id);
          resolve();
        }
        others.add(wake);
        waiting.set(id, others);
        signal.addEventListener('abort', wake);
        if (signal.aborted) wake();
      }),
    close() {
      for (const id of waiting.keys()) changed(id);
    },
  };
}
