import type { Clock } from './clock.ts';

/**
 * Runs `step` when it is asked for and at least every `everyMs`, never twice at once: what is asked for
 * while a step runs is done by one more step after it. `close` resolves after the running step; nothing is
 * done after it.
 */
export function createLoop(options: {
  clock: Clock;
  everyMs: number;
  step: () => Promise<void>;
  onError: (error: unknown) => void;
}): { ask(): void; close(): Promise<void> } {
  const { clock, everyMs, step, onError } = options;
  let running: Promise<void> | undefined;
  let asked = false;
  let closed = false;
  let timer = clock.after(everyMs, ask);

  async function run(): Promise<void> {
    while (asked && !closed) {
      asked = false;
      try {
        await step();
      } catch (error) {
        onError(error);
      }
    }
    running = undefined;
    if (!closed) timer = clock.after(everyMs, ask);
  }

  function ask(): void {
    if (closed) return;
    asked = true;
    if (running) return;
    timer.cancel();
    running = run();
  }

  return {
    ask,
    async close() {
      closed = true;
      timer.cancel();
      await running;
    },
  };
}
