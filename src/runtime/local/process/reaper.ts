import type { Clock, Timer } from '#lib/clock.ts';
import { hasProc, systemProcesses } from './proc.ts';
import { sweep, type Identity, type Leader } from './sweep.ts';

/**
 * Ends what an instance leaves behind. One look at all processes serves all instances that ended in the same
 * moment, and the looks together take a small share of the time.
 */
export interface Reaper {
  /** The instance's first process has ended. */
  bury(dead: Dead): void;
  close(): void;
}

interface Dead {
  readonly mark: string;
  /** Undefined: whether it ever ran is not known. */
  readonly leader: Leader | undefined;
  /** What hung on it before it was told to end. */
  readonly members: readonly Identity[];
}

/** After a look there is a pause of so many times its length: looking takes at most about 5 %. */
const PAUSE_FACTOR = 20;

export function createReaper(options: {
  clock: Clock;
  spared: ReadonlySet<number>;
  onDone: (leader: Leader) => void;
}): Reaper {
  const { clock, spared, onDone } = options;
  const canLook = hasProc();
  let dead: Dead[] = [];
  let nextAt = 0;
  let asked = false;
  let timer: Timer | undefined;

  function look(): void {
    asked = false;
    timer = undefined;
    if (dead.length === 0) return;
    const batch = dead;
    dead = [];
    const before = clock.now();
    // A mark ends with NUL: `…/1` must not mean `…/10`.
    const prefixes = batch.map(({ mark }) => `${mark}\0`);
    const leaders = batch.flatMap(({ leader }) => leader ?? []);
    const sinceTicks = Math.min(...batch.map(({ leader }) => leader?.startTicks ?? 0));
    const members = batch.flatMap((one) => one.members);
    sweep(systemProcesses, { prefixes, leaders, members, sinceTicks }, spared);
    leaders.forEach(onDone);
    const after = clock.now();
    nextAt = after + (after - before) * PAUSE_FACTOR;
  }

  return {
    bury(one) {
      if (!canLook) {
        if (!one.leader) return;
        systemProcesses.signal(-one.leader.pid, 'SIGKILL');
        onDone(one.leader);
        return;
      }
      dead.push(one);
      if (asked) return;
      asked = true;
      const wait = nextAt - clock.now();
      if (wait > 0) timer = clock.after(wait, look);
      else setImmediate(look);
    },
    close() {
      timer?.cancel();
      look();
    },
  };
}
