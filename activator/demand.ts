import type { RevisionDemand } from '#bus/messages.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { RevisionRoute } from './routes.ts';

/** Often enough for shares to follow who waits; a turn of an instance that takes one request is not longer. */
const REPORT_MS = 20;

/** Says to control who waits for slots that are leased, for as long as somebody does. */
export interface Demand {
  /** Somebody waits for this revision. */
  follow(revision: string): void;
  /** Nobody does any more: said at once, that others need not wait for slots which nobody wants here. */
  quiet(revision: string): void;
  close(): void;
}

/** Without leased slots it says nothing: all that waits is then in the wake. */
export function createDemand(options: {
  routes: { findRevision(key: string): RevisionRoute | undefined };
  clock: Clock;
  send: (revisions: readonly RevisionDemand[]) => void;
}): Demand {
  const { routes, clock, send } = options;
  /** Whether it was said, since the last report, that nobody waits: a queue that comes and goes says it once. */
  const followed = new Map<string, { quiet: boolean }>();
  let timer: Timer | undefined;

  function demandOf(revision: string): RevisionDemand {
    const gate = routes.findRevision(revision)?.gate;
    return { revision, queued: gate?.waiting ?? 0, inFlight: gate?.inFlight ?? 0 };
  }

  function report(): void {
    const revisions = [...followed.keys()].map(demandOf);
    for (const { revision, queued } of revisions) {
      if (queued === 0) followed.delete(revision);
      else followed.set(revision, { quiet: false });
    }
    send(revisions);
    timer = followed.size > 0 ? clock.after(REPORT_MS, report) : undefined;
  }

  return {
    follow(revision) {
      if (followed.has(revision) || routes.findRevision(revision)?.gate.isLeased !== true) return;
      followed.set(revision, { quiet: false });
      send([demandOf(revision)]);
      timer ??= clock.after(REPORT_MS, report);
    },
    quiet(revision) {
      const known = followed.get(revision);
      if (!known || known.quiet) return;
      known.quiet = true;
      send([demandOf(revision)]);
    },
    close() {
      timer?.cancel();
      followed.clear();
    },
  };
}
