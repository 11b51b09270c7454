import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { checkRead } from '#batch/runner/paths.ts';
import type { Batch } from '#control/control.ts';
import { MOST_SHARDS } from '#domain/job.ts';
import type { KnativeBatch } from '#domain/server.ts';
import type { ShardJobs } from '#knative/batch/shard-jobs.ts';
import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { DataFolder } from '../data-folder.ts';
import { createJobRunner } from './job-runner.ts';
import { createShardedJobRunner } from './sharded-job-runner.ts';

/** Where jobs run, and what they may reach. */
type JobPlaces = Pick<Batch, 'runner' | 'bounds' | 'cores' | 'mostShards' | 'shardDataPlane'>;

const NO_FILES =
  'no files of jobs are here: expected the sha256: digest of what was pushed, or a server with --knative-batch-folder';

/** Beside control, with the files of this machine. */
export function makeJobs(folder: DataFolder): JobPlaces {
  const bounds = { closed: [folder.path] };
  const cores = availableParallelism();
  return { runner: createJobRunner(folder), bounds, cores, mostShards: 1 };
}

/** With the files of one folder, or none: control's pod has others that are nobody's to read. */
export function makeClusterJobs(
  batch: KnativeBatch | undefined,
  { shards }: { readonly shards: ShardJobs | undefined },
  folder: DataFolder,
  log: Log,
): JobPlaces {
  if (!batch) return { bounds: { closed: [folder.path] }, cores: Infinity, mostShards: 1 };
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

/** Of data of programs: throws the Fault that says why it may not be read there. */
export async function checkClusterData(
  path: string,
  batch: KnativeBatch | undefined,
  { bounds }: Pick<JobPlaces, 'bounds'>,
): Promise<void> {
  if (!batch) throw new Fault('invalid', `data is ${path}, and ${NO_FILES}`);
  await checkRead(path, bounds);
}
