import type { Clock } from '#lib/clock.ts';
import type { InstanceSize } from '#policies/rollout/cost.ts';
import type { Budget } from '../budget.ts';
import type { Measures } from '../measures/measures.ts';
import type { Catalog } from '../records/catalog.ts';
import { factsOfKey } from '../records/facts.ts';
import { createHooks } from './hooks.ts';
import { type Asked, createQueries, type Queries } from './queries.ts';
import type { ReadMeasure } from './strata.ts';

/** Who knows something of both revisions of a rollout, beside what became of their requests. */
export interface Sources {
  readonly measured: ReadMeasure;
  readonly queries: readonly Queries[];
  /** Of an instance; undefined: there is no such revision. */
  readonly sizeOf: (revision: string) => InstanceSize | undefined;
  close(): Promise<void>;
}

export interface SourceOptions {
  catalog: Catalog;
  budget: Pick<Budget, 'knownBytes'>;
  measures: Pick<Measures, 'read'>;
  /** Those that Prometheus is asked by. */
  asked: Asked;
  clock: Clock;
}

export function createSources(options: SourceOptions): Sources {
  const { catalog, budget, measures } = options;
  const hooks = createHooks(options);
  return {
    measured: (revision, name, since) => measures.read(revision, name, since),
    queries: [createQueries(options), hooks],
    sizeOf(revision) {
      const facts = factsOfKey(catalog, revision);
      if (!facts) return undefined;
      const { concurrency } = facts.workload.spec;
      return { memory: budget.knownBytes(facts), concurrency };
    },
    close: () => hooks.close(),
  };
}
