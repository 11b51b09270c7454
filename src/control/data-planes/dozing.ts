import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Runtime } from '#runtime/runtime.ts';

/**
 * Instances that are parked and keep their memory for a while. Where one data plane has all slots, it may send to one that
 * dozes without asking: it says so, and the instance goes on. With several data planes each asks, as for what is asleep.
 *
 * Invariants:
 * 1. What may be sent to counts with all the memory that it can come to take.
 * 2. Its memory is let go of (`runtime.release`) only when its time is over and the data plane has said that it sends nothing.
 *    A data plane that has sent something by then does not say so: the word that it has is on its way.
 */
export interface Dozing {
  /** It may be sent to, as data planes shall be told. */
  isOpen(id: string): boolean;
  /** It may be sent to, or somebody may not know yet that it may not. */
  has(id: string): boolean;
  /** It is parked, from now on or since before control was there. */
  begin(id: string): void;
  /** It is parked no more. */
  end(id: string): void;
  /** The data plane sends it nothing any more. */
  closed(id: string): void;
  close(): void;
}

/** After this the next request is likely to be far away, and reading back a few pages is what it costs then. */
const DOZE_MS = 10_000;

export function createDozing(options: {
  clock: Clock;
  /** Whether there may be several data planes, which share the slots of an instance. */
  isShared: boolean;
  runtime: Pick<Runtime, 'release'>;
  /** It may be sent to no more, which data planes are to be told. */
  onClosing: (id: string) => void;
}): Dozing {
  const { isShared, runtime } = options;
  const timers = new Timers(options.clock);
  /** With what ends their time, until that is over. */
  const parked = new Map<string, (() => void) | undefined>();

  function letGo(id: string): void {
    if (parked.delete(id)) runtime.release(id);
  }

  function beginClosing(id: string): void {
    parked.set(id, undefined);
    if (isShared) letGo(id);
    else options.onClosing(id);
  }

  return {
    isOpen: (id) => !isShared && parked.get(id) !== undefined,
    has: (id) => !isShared && parked.has(id),
    begin(id) {
      parked.set(
        id,
        timers.after(DOZE_MS, () => beginClosing(id)),
      );
    },
    end(id) {
      parked.get(id)?.();
      parked.delete(id);
    },
    closed(id) {
      // Who has been parked anew since may be sent to again.
      if (parked.has(id) && parked.get(id) === undefined) letGo(id);
    },
    close: () => timers.close(),
  };
}
