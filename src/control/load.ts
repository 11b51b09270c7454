import type { RevisionDemand, RevisionLoad } from '#bus/messages.ts';

/**
 * What each data plane says is waiting and running, summed per revision.
 *
 * A data plane names only revisions that have something to tell, so what a report leaves out is 0; one that
 * is silent for longer than `STALE_MS` counts as empty.
 */
export interface LoadBook {
  /** Requests wait for a revision of which nothing is ready. */
  wake(dataPlane: string, revision: string, queued: number, inFlight?: number): void;
  /** What has changed since its last report. */
  demand(dataPlane: string, revisions: readonly RevisionDemand[]): void;
  report(dataPlane: string, loads: readonly RevisionLoad[]): void;
  left(dataPlane: string): void;
  totals(revision: string): { queued: number; inFlight: number };
  at(dataPlane: string, revision: string): { queued: number; inFlight: number };
}

/** Reports come every second; a few late ones are no reason to take a revision for idle. */
const STALE_MS = 5000;

interface Plane {
  at: number;
  loads: Map<string, { queued: number; inFlight: number }>;
}

export function createLoadBook(now: () => number): LoadBook {
  const planes = new Map<string, Plane>();

  function at(dataPlane: string, revision: string): { queued: number; inFlight: number } {
    const plane = planes.get(dataPlane);
    const load = plane?.loads.get(revision);
    if (!plane || !load || now() - plane.at > STALE_MS) return { queued: 0, inFlight: 0 };
    return { queued: load.queued, inFlight: load.inFlight };
  }

  function set(dataPlane: string, revisions: readonly RevisionDemand[]): void {
    const plane = planes.get(dataPlane) ?? { at: 0, loads: new Map() };
    planes.set(dataPlane, plane);
    plane.at = now();
    for (const { revision, queued, inFlight } of revisions) {
      plane.loads.set(revision, { queued, inFlight });
    }
  }

  return {
    wake(dataPlane, revision, queued, inFlight = at(dataPlane, revision).inFlight) {
      set(dataPlane, [{ revision, queued, inFlight }]);
    },
    demand: set,
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
      for (const dataPlane of planes.keys()) {
        const { queued, inFlight } = at(dataPlane, revision);
        total.queued += queued;
        total.inFlight += inFlight;
      }
      return total;
    },
    at,
  };
}
