import type { Clock } from '#lib/clock.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Store } from '#store/store.ts';
import type { Publishing } from '../data-planes/publish.ts';
import type { RoutingFacts } from '../data-planes/routing.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Catalog } from '../records/catalog.ts';
import type { Journal } from '../records/journal.ts';
import type { Turns } from '../records/turns.ts';
import type { AsyncRequests } from '../requests/async-requests.ts';
import type { Retention } from '../retention/retention.ts';
import type { Rollouts } from '../rollout/rollouts.ts';
import type { Selection } from '../selection/selection.ts';
import type { ArtifactKeys } from './artifact-keys.ts';
import { createArtifactUseCases } from './artifact-usecases.ts';
import type { JobUseCases } from './job-usecases.ts';
import { createKeyUseCases } from './keys.ts';
import { createMeasureUseCases } from './measure-usecases.ts';
import { createModelUseCases } from './models.ts';
import { createReadUseCases } from './read-usecases.ts';
import { createRequestUseCases } from './request-usecases.ts';
import { createRetentionUseCases } from './retention-usecases.ts';
import { createRevisionUseCases } from './revision-usecases.ts';
import { createRolloutUseCases } from './rollout-usecases.ts';
import { createScheduleUseCases, type ScheduleOptions } from './schedule-usecases.ts';
import { createSelectionUseCases } from './selection-usecases.ts';
import type { UseCases } from './usecases.ts';
import type { ViewOptions } from './view.ts';

/** All use cases, over the parts of control that they ask. */
export function createUseCases(parts: {
  store: Store;
  catalog: Catalog;
  journal: Journal;
  artifacts: Artifacts;
  artifactKeys: ArtifactKeys;
  runtime: Runtime;
  publishing: Publishing;
  facts: RoutingFacts;
  retention: Retention;
  rollouts: Rollouts;
  selection: Selection;
  /** Absent: there are none. */
  requests: AsyncRequests | undefined;
  jobs: Jobs | undefined;
  jobUseCases: JobUseCases;
  schedules: Pick<ScheduleOptions, 'clock' | 'book' | 'scheduler' | 'hasBatches' | 'hasPrograms'>;
  clock: Clock;
  /** One change of models at a time. */
  alone: Turns;
}): UseCases {
  const { facts, retention, rollouts, selection, jobs } = parts;
  const about: ViewOptions = {
    ...facts,
    retainedOf: (entry) => retention.retainedOf(entry),
    rolloutOf: (model) => rollouts.get(model),
    selectionOf: (model) => selection.view(model),
  };
  return {
    ...createModelUseCases({ ...parts, about }),
    ...createRevisionUseCases(parts),
    ...createRolloutUseCases(parts),
    ...createRetentionUseCases({ ...parts, jobs: jobs?.sweep, about }),
    ...createReadUseCases(parts),
    ...createMeasureUseCases(parts),
    ...createRequestUseCases(parts),
    ...createSelectionUseCases(parts),
    ...parts.jobUseCases,
    ...createScheduleUseCases({ ...parts, ...parts.schedules }),
    ...createArtifactUseCases(parts.artifacts, parts.artifactKeys),
    ...createKeyUseCases(parts),
  };
}
