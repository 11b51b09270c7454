import type { RevisionLoad } from '#bus/messages.ts';

/**
 * What each data plane says is waiting and running, summed per revision.
 *
 * A data plane names only revisions that have something to tell, so what a report leaves out is 0; one that
 * is silent for longer than `STALE_MS` counts as empty.
 */
export interface LoadBook {
  /** Requests wait for a revision of which nothing is ready. */
  wake(dataPlane: string, revision: string, queued: number): void;
  report(dataPlane: string, loads: readonly RevisionLoad[]): void;
  left(dataPlane: string): void;
  totals(revision: string): { queued: number; inFlight: number };
}

/** Reports come every second; a few late ones are no reason to take a revision for idle. */
const STALE_MS = 5000;

interface Plane {
  at: number;
  loads: Map<string, { queued: number; inFlight: number }>;
}

export function createLoadBook(now: () => number): LoadBook {
  const planes = new Map<string, Plane>();

  return {
    wake(dataPlane, revision, queued) {
      const plane = planes.get(dataPlane) ?? { at: 0, loads: new Map() };
      planes.set(dataPlane, plane);
      plane.at = now();
      const inFlight = plane.loads.get(revision)?.inFlight ?? 0;
      plane.loads.set(revision, { queued, inFlight });
    },
    report(dataPlane, loads) {
      const busy = loads.filter((load) => load.queued > 0 || load.inFlight > 0);
      planes.set(dataPlane, {
        at: now(),
        loads: new Map(busy.map((load) => [load.revision, load])),
      });
    },
    left(dataPlane) {
      planes.delete(dataPlane);
    },
    totals(revision) {
      const total = { queued: 0, inFlight: 0 };
      for (const plane of planes.values()) {
        const load = plane.loads.get(revision);
        if (!load || now() - plane.at > STALE_MS) continue;
        total.queued += load.queued;
        total.inFlight += load.inFlight;
      }
      return total;
    },
  };
}
