import type { RevisionDemand } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';
import type { RevisionRoute } from '../routes.ts';

/** Often enough for shares to follow who waits; a turn of an instance that takes one request is not longer. */
const REPORT_MS = 20;
/** What was woken and nobody waits for is looked at so often; then the load that is told each second has to do. */
const MOST_LOOKS = 250;

/**
 * Says to control who waits for slots that are leased: when the first does, every few milliseconds for as long as
 * somebody does, and when nobody does any more, so that others need not wait for what nobody wants here. And of
 * whatever was woken it says when that has been served: others may wait for its memory.
 */
export interface Demand {
  /** Somebody waits for this revision, or was sent to what dozed. */
  follow(revision: string): void;
  quiet(revision: string): void;
}

export function createDemand(options: {
  routes: { findRevision(key: string): RevisionRoute | undefined };
  timers: Timers;
  send: (revisions: readonly RevisionDemand[]) => void;
}): Demand {
  const { routes, timers, send } = options;
  const followed = new Set<string>();
  /** What was woken and is not served yet, and how often it may be looked at. */
  const woken = new Map<string, number>();
  let isDue = false;

  function demandOf(revision: string): RevisionDemand {
    const gate = routes.findRevision(revision)?.gate;
    return { revision, queued: gate?.waiting ?? 0, inFlight: gate?.inFlight ?? 0 };
  }

  function reportSoon(): void {
    if (isDue) return;
    isDue = true;
    timers.after(REPORT_MS, () => {
      isDue = false;
      const told = [...Array.from(followed, demandOf), ...takeServed()];
      if (told.length > 0) send(told);
      if (followed.size + woken.size > 0) reportSoon();
    });
  }

  function takeServed(): RevisionDemand[] {
    const served: RevisionDemand[] = [];
    for (const [revision, looks] of woken) {
      const demand = demandOf(revision);
      const isServed = demand.queued + demand.inFlight === 0;
      if (isServed && !followed.has(revision)) served.push(demand);
      if (isServed || looks === 0) woken.delete(revision);
      else if (demand.queued === 0) woken.set(revision, looks - 1);
    }
    return served;
  }

  return {
    follow(revision) {
      woken.set(revision, MOST_LOOKS);
      reportSoon();
      if (routes.findRevision(revision)?.gate.isLeased === true) followed.add(revision);
    },
    quiet(revision) {
      if (followed.delete(revision)) send([demandOf(revision)]);
    },
  };
}
