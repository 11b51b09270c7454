import type { Clock, Timer } from '#lib/clock.ts';

/** Time that passes only when a test says so. */
export interface FakeClock extends Clock {
  /** Lets `ms` pass; timers run in the order of their time, each at its own. */
  advance(ms: number): void;
  /** As somebody sets a clock on the wall: no timer runs for it. */
  set(time: number): void;
  /** How many timers are set. */
  readonly pending: number;
}

const FLOW_MS = 5;

/**
 * From now on time passes by itself, for what is polled: as the real one does at most, and never while this process is
 * kept from its work. Gives what ends it.
 */
export function letFlow(clock: FakeClock): () => void {
  const timer = setInterval(() => clock.advance(FLOW_MS), FLOW_MS);
  return () => clearInterval(timer);
}

export function createFakeClock(start = Date.UTC(2030, 0, 1)): FakeClock {
  let now = start;
  let order = 0;
  const timers = new Map<number, { at: number; run: () => void }>();

  function nextDue(until: number): [number, { at: number; run: () => void }] | undefined {
    let found: [number, { at: number; run: () => void }] | undefined;
    for (const entry of timers) {
      if (entry[1].at <= until && (!found || entry[1].at < found[1].at)) found = entry;
    }
    return found;
  }

  return {
    now: () => now,
    after(ms, run): Timer {
      const id = order++;
      timers.set(id, { at: now + Math.max(0, ms), run });
      return { cancel: () => timers.delete(id) };
    },
    advance(ms) {
      const until = now + ms;
      for (let due = nextDue(until); due; due = nextDue(until)) {
        const [id, timer] = due;
        timers.delete(id);
        now = timer.at;
        timer.run();
      }
      now = until;
    },
    set(time) {
      now = time;
    },
    get pending() {
      return timers.size;
    },
  };
}
