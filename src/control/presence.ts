import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';

/**
 * Which data-plane processes are there, by the lists of the supervisor.
 *
 * 1. Who comes and who goes is told once for each.
 * 2. A data plane that has a link and is on no list is warned of, once for each link: it gets no slots.
 */
export interface Presence {
  /** All that live. */
  list(alive: readonly string[]): void;
  linked(dataPlane: string): void;
  unlinked(dataPlane: string): void;
  close(): void;
}

/** Lists and links come by different ways; one that is only late has come by then. */
const LATE_MS = 1000;

export function createPresence(options: {
  clock: Clock;
  log: Log;
  onJoined: (dataPlane: string) => void;
  onLeft: (dataPlane: string) => void;
}): Presence {
  const { clock, log, onJoined, onLeft } = options;
  const strangers = new Map<string, Timer>();
  let present = new Set<string>();

  function forget(dataPlane: string): void {
    strangers.get(dataPlane)?.cancel();
    strangers.delete(dataPlane);
  }

  function warn(dataPlane: string): void {
    log.warn({ dataPlane }, 'a data plane that Rouse did not start: it gets no slots');
  }

  return {
    list(alive) {
      const before = present;
      present = new Set(alive);
      for (const id of before) if (!present.has(id)) onLeft(id);
      for (const id of present) if (!before.has(id)) onJoined(id);
      for (const id of alive) forget(id);
    },
    linked(dataPlane) {
      forget(dataPlane);
      if (present.has(dataPlane)) return;
      strangers.set(
        dataPlane,
        clock.after(LATE_MS, () => warn(dataPlane)),
      );
    },
    unlinked: forget,
    close() {
      for (const timer of strangers.values()) timer.cancel();
    },
  };
}
