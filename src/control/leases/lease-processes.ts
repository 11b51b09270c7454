import type { Timers } from '#lib/timers.ts';

/**
 * The data-plane processes that slots are leased to: which of them live, have a link, and have said what they hold.
 *
 * 1. A process that is not listed any more is dead. `onDead` is told `RECLAIM_MS` later, once: until then it may be
 *    using what it held.
 * 2. `allHeard` is false until each process that was there before control has joined or is dead for `RECLAIM_MS`;
 *    this goes for those, too, that had ended just before control came.
 */
export interface LeaseProcesses {
  /** Those that live. The first call names all that were there before control. */
  list(alive: readonly string[]): void;
  /** It has a new link and says what it holds; false: it is not listed, and what it says does not count. */
  joined(dataPlane: string): boolean;
  /** Its link ended. */
  left(dataPlane: string): void;
  /** Those that live and have a link. */
  reachable(): string[];
  allHeard(): boolean;
}

/**
 * After a process has died, its slots are leased again. By then the kernel has closed its connections; this is
 * for the instances to see it and to drop what was running for them.
 */
export const RECLAIM_MS = 200;
/** Stands for processes that ended just before control came. */
const ENDED_BEFORE = '';

export function createLeaseProcesses(options: {
  timers: Timers;
  /** It uses nothing any more. */
  onDead: (dataPlane: string) => void;
}): LeaseProcesses {
  const { timers, onDead } = options;
  const alive = new Set<string>();
  const linked = new Set<string>();
  /** There before control, and not heard of yet. */
  let unheard: Set<string> | undefined;

  function bury(dataPlane: string): void {
    alive.delete(dataPlane);
    linked.delete(dataPlane);
    timers.after(RECLAIM_MS, () => {
      unheard?.delete(dataPlane);
      onDead(dataPlane);
    });
  }

  return {
    list(ids) {
      if (!unheard) {
        unheard = new Set([...ids, ENDED_BEFORE]);
        bury(ENDED_BEFORE);
      }
      const listed = new Set(ids);
      for (const id of alive) if (!listed.has(id)) bury(id);
      for (const id of ids) alive.add(id);
    },
    joined(dataPlane) {
      linked.add(dataPlane);
      // Who is not listed any more is dead, and these its last words; who is not listed yet holds nothing.
      if (!alive.has(dataPlane)) return false;
      unheard?.delete(dataPlane);
      return true;
    },
    left(dataPlane) {
      linked.delete(dataPlane);
    },
    reachable: () => [...linked].filter((id) => alive.has(id)),
    allHeard: () => unheard?.size === 0,
  };
}
