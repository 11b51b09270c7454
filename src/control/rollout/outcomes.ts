import type { RevisionLoad } from '#bus/messages.ts';
import { addPairs } from '#domain/latency.ts';
import type { Outcomes } from '#domain/rollout.ts';

/** What became of the requests of revisions that somebody watches, since it was asked last; cold ones apart. */
export interface OutcomeBook {
  report(loads: readonly RevisionLoad[]): void;
  /** From now on. */
  watch(revision: string): void;
  unwatch(revision: string): void;
  take(revision: string): Outcomes;
  /** What was taken could not be used. */
  putBack(revision: string, outcomes: Outcomes): void;
}

interface Counts {
  ok: number;
  failed: number;
  latency: readonly number[];
}

export function createOutcomeBook(): OutcomeBook {
  const watched = new Map<string, Counts>();

  function add(
    revision: string,
    { ok = 0, failed = 0, latency = [] }: Pick<RevisionLoad, 'ok' | 'failed' | 'latency'>,
  ): void {
    const counts = watched.get(revision);
    if (!counts) return;
    counts.ok += ok;
    counts.failed += failed;
    counts.latency = addPairs(counts.latency, latency);
  }

  return {
    report(loads) {
      for (const load of loads) add(load.revision, load);
    },
    watch(revision) {
      if (!watched.has(revision)) watched.set(revision, makeCounts());
    },
    unwatch: (revision) => void watched.delete(revision),
    take(revision) {
      const counts = watched.get(revision) ?? makeCounts();
      watched.set(revision, makeCounts());
      return counts;
    },
    putBack: add,
  };
}

function makeCounts(): Counts {
  return { ok: 0, failed: 0, latency: [] };
}
