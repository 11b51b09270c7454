import type { Clock, Timer } from '#lib/clock.ts';

/**
 * Works on things by their keys, some at once.
 *
 * 1. Never twice at once on one key; what is asked for meanwhile is done once more after it.
 * 2. Of several times that a key is asked for later, the earliest counts.
 */
export interface WorkQueue {
  ask(key: string): void;
  askAfter(key: string, ms: number): void;
  /** Resolves after what runs; nothing is begun after it. */
  close(): Promise<void>;
}

/** `work` does not reject. */
export function createWorkQueue(options: {
  atOnce: number;
  clock: Clock;
  work: (key: string) => Promise<void>;
}): WorkQueue {
  const { atOnce, clock, work } = options;
  const asked = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const later = new Map<string, { at: number; timer: Timer }>();
  let closed = false;

  function pump(): void {
    for (const key of asked) {
      if (closed || running.size >= atOnce) return;
      if (running.has(key)) continue;
      asked.delete(key);
      const run = work(key).finally(() => {
        running.delete(key);
        pump();
      });
      running.set(key, run);
    }
  }

  function ask(key: string): void {
    if (closed) return;
    forgetLater(key);
    asked.add(key);
    pump();
  }

  function forgetLater(key: string): void {
    later.get(key)?.timer.cancel();
    later.delete(key);
  }

  return {
    ask,
    askAfter(key, ms) {
      const at = clock.now() + ms;
      const known = later.get(key);
      if (closed || asked.has(key) || (known && known.at <= at)) return;
      forgetLater(key);
      later.set(key, { at, timer: clock.after(ms, () => ask(key)) });
    },
    async close() {
      closed = true;
      for (const key of later.keys()) forgetLater(key);
      await Promise.all(running.values());
    },
  };
}
