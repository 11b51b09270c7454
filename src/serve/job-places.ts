import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '#control/control.ts';
import { MOST_SHARDS } from '#domain/job.ts';
import type { KnativeBatch } from '#domain/server.ts';
import type { Log } from '#lib/log.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { DataFolder } from './data-folder.ts';
import { createJobRunner } from './job-runner.ts';
import { createShardedJobRunner } from './sharded-job-runner.ts';

/** Where jobs run, and what they may reach. */
type JobPlaces = Pick<Batch, 'runner' | 'bounds' | 'cores' | 'mostShards' | 'shardDataPlane'>;

/** Beside control, with the files of this machine. */
export function makeJobs(folder: DataFolder): JobPlaces {
  const bounds = { closed: [folder.path] };
  const cores = availableParallelism();
  return { runner: createJobRunner(folder), bounds, cores, mostShards: 1 };
}

/** With the files of one folder: control's pod has others that are nobody's to read. */
export function makeClusterJobs(
  batch: KnativeBatch | undefined,
  { shards }: ClusterRuntime,
  folder: DataFolder,
  log: Log,
): JobPlaces | undefined {
  if (!batch) return undefined;
  // Shards reach it, too.
  const jobs = join(batch.folder, '.rouse');
  const bounds = { closed: [folder.path, jobs], within: batch.folder };
  const local = createJobRunner({ jobs });
  // How many instances there can be is for the cluster to say.
  const common = { bounds, cores: Infinity };
  if (!shards) return { ...common, runner: local, mostShards: 1 };
  return {
    ...common,
    runner: createShardedJobRunner(local, { shards, log }),
    mostShards: MOST_SHARDS,
    shardDataPlane: batch.shards?.requests,
  };
}
