import type { RevisionLoad } from '#bus/messages.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { Stat } from './stats.ts';

/**
 * What Knative's autoscaler is told, as its own activator tells it.
 *
 * 1. A revision that is newly seen is told of at once, as one request that came; so a revision at zero wakes.
 * 2. After that all that are tracked are told of with each report of the data plane; the one request that was told of
 *    already is taken off the first of them, unless that was lost.
 * 3. A revision without load is told of once more, with nothing, and is not tracked any more.
 */
export interface Reporter {
  /** Somebody waits. */
  wake(revision: string): void;
  /** Once a second, and once when there is nothing any more; of those that are not named nothing came. */
  load(revisions: readonly RevisionLoad[]): void;
}

/** @param send false: the autoscaler is away, and this is lost. */
export function createReporter(send: (stats: readonly Stat[]) => boolean): Reporter {
  /** What was told already of each that is tracked. */
  const told = new Map<string, number>();

  function track(revision: string): void {
    told.set(revision, send([makeStat(revision, 1, 1)]) ? 1 : 0);
  }

  return {
    wake(revision) {
      if (!told.has(revision)) track(revision);
    },
    load(revisions) {
      const stats: Stat[] = [];
      const named = new Set<string>();
      for (const { revision, concurrency, arrivals } of revisions) {
        const before = Math.min(told.get(revision) ?? 0, arrivals);
        stats.push(makeStat(revision, Math.max(0, concurrency - before), arrivals - before));
        told.set(revision, 0);
        named.add(revision);
      }
      for (const revision of told.keys()) {
        if (named.has(revision)) continue;
        stats.push(makeStat(revision, 0, 0));
        told.delete(revision);
      }
      if (stats.length > 0) send(stats);
    },
  };
}

function makeStat(key: string, concurrency: number, count: number): Stat {
  const { namespace, revision } = partsOfRevisionKey(key);
  return { namespace, revision, concurrency, count };
}
