import type { RevisionDemand } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';
import type { RevisionRoute } from './routes.ts';

/** Often enough for shares to follow who waits; a turn of an instance that takes one request is not longer. */
const REPORT_MS = 20;

/**
 * Says to control who waits for slots that are leased: when the first does, every few milliseconds for as long as
 * somebody does, and when nobody does any more, so that others need not wait for what nobody wants here.
 */
export interface Demand {
  /** Somebody waits for this revision. What the wake shall say of it beside; nothing when no slots are leased. */
  follow(revision: string): { readonly inFlight?: number };
  quiet(revision: string): void;
}

export function createDemand(options: {
  routes: { findRevision(key: string): RevisionRoute | undefined };
  timers: Timers;
  send: (revisions: readonly RevisionDemand[]) => void;
}): Demand {
  const { routes, timers, send } = options;
  const followed = new Set<string>();
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
      if (followed.size === 0) return;
      send(Array.from(followed, demandOf));
      reportSoon();
    });
  }

  return {
    follow(revision) {
      const gate = routes.findRevision(revision)?.gate;
      if (gate?.isLeased !== true) return {};
      followed.add(revision);
      reportSoon();
      return { inFlight: gate.inFlight };
    },
    quiet(revision) {
      if (followed.delete(revision)) send([demandOf(revision)]);
    },
  };
}
