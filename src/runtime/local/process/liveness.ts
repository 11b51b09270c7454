import type { Clock, Timer } from '#lib/clock.ts';

/**
 * Whether a process that obeys orders still does: while one is not yet confirmed, it is asked for a sign of life.
 *
 * 1. While all orders are confirmed, nothing is asked and no timer is set.
 * 2. Silence is counted in looks, not in time: what this process sleeps through itself is one look, after which it
 *    reads what has come meanwhile.
 */
export interface Liveness {
  /** One more order was sent. */
  ordered(): void;
  /** Something came from it, whatever it was. */
  heard(): void;
  /** It has obeyed all orders up to this one. */
  confirmed(upTo: number): void;
  /** It is gone, and with it what it owed. */
  reset(): void;
}

const LOOK_MS = 1000;
/** A machine that swaps may keep a sound process for seconds; who waits for a start waits longer than this. */
const MOST_SILENT_LOOKS = 10;

export function createLiveness(options: {
  clock: Clock;
  /** Asks it to confirm the orders up to this one. */
  ask: (upTo: number) => void;
  /** It was silent for about 10 s. Said again for orders that come later. */
  onSilent: () => void;
}): Liveness {
  const { clock, ask, onSilent } = options;
  let orders = 0;
  let silentLooks = 0;
  let timer: Timer | undefined;

  function look(): void {
    timer = undefined;
    if (silentLooks === MOST_SILENT_LOOKS) {
      silentLooks = 0;
      onSilent();
      return;
    }
    silentLooks++;
    ask(orders);
    timer = clock.after(LOOK_MS, look);
  }

  function rest(): void {
    timer?.cancel();
    timer = undefined;
    silentLooks = 0;
  }

  return {
    ordered() {
      orders++;
      timer ??= clock.after(LOOK_MS, look);
    },
    heard() {
      silentLooks = 0;
    },
    confirmed(upTo) {
      if (upTo === orders) rest();
    },
    reset: rest,
  };
}
