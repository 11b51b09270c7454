import type { JobRecord } from '#domain/job.ts';
import type { ModelEntry } from './catalog.ts';

/** Who needs a revision of a model, or (without `revision`) the model itself. */
export interface Reference {
  readonly revision?: string;
  /** Words for a reason: `the rollout to v3 runs`. */
  readonly why: string;
}

/** What a part of control needs of a model: retention keeps it. */
export type ReferencesOf = (entry: ModelEntry) => readonly Reference[];

/** Why a part of control needs the record of a job: words for a reason; none: it does not. */
export type JobReferencesOf = (job: JobRecord) => readonly string[];
