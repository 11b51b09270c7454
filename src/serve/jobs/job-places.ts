import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { checkRead } from '#batch/runner/paths.ts';
import type { Batch } from '#control/control.ts';
import { MOST_SHARDS } from '#domain/job.ts';
import type { KnativeBatch } from '#domain/server.ts';
import type { ShardJobs } from '#knative/batch/shard-jobs.ts';
import type { ProgramJobs } from '#knative/programs/program-jobs.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { DataFolder } from '../data-folder.ts';
import { createClusterProgramRunner } from './cluster-program-runner.ts';
import { createJobRunner } from './job-runner.ts';
import { createProgramInputs } from './program-inputs.ts';
import { createProgramRunner } from './program-runner.ts';
import { createShardedJobRunner } from './sharded-job-runner.ts';

/** Where batches run, and what they may reach. */
type BatchPlaces = Pick<Batch, 'runner' | 'bounds' | 'cores' | 'mostShards' | 'shardDataPlane'>;
type JobPlaces = BatchPlaces & Pick<Batch, 'programs'>;

const NO_FILES =
  'no files of jobs are here: expected the sha256: digest of what was pushed, or a server with --knative-batch-folder';

/** Beside control, with the files of this machine. */
export function makeJobs(options: {
  runtime: Runtime;
  artifacts: Artifacts;
  folder: DataFolder;
}): JobPlaces {
  const { runtime, artifacts, folder } = options;
  const { tasks } = runtime;
  return {
    runner: createJobRunner(folder),
    programs: tasks && createProgramRunner({ runtime, tasks, artifacts, folder: folder.jobs }),
    bounds: { closed: [folder.path] },
    cores: availableParallelism(),
    mostShards: 1,
  };
}

/** In pods. */
export function makeClusterJobs(options: {
  batch: KnativeBatch | undefined;
  cluster: { readonly shards: ShardJobs | undefined; readonly programs: ProgramJobs };
  artifacts: Artifacts;
  folder: DataFolder;
  clock: Clock;
  log: Log;
}): JobPlaces {
  const { batch, cluster, artifacts, folder, log } = options;
  const batches = makeClusterBatches(batch, cluster.shards, folder, log);
  const inputs = createProgramInputs({
    artifacts,
    checkPath: (path) => checkClusterData(path, batch, batches),
  });
  return {
    ...batches,
    programs: createClusterProgramRunner({ ...options, jobs: cluster.programs, inputs }),
  };
}

/** With the files of one folder, or none: control's pod has others that are nobody's to read. */
function makeClusterBatches(
  batch: KnativeBatch | undefined,
  shards: ShardJobs | undefined,
  folder: DataFolder,
  log: Log,
): BatchPlaces {
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
async function checkClusterData(
  path: string,
  batch: KnativeBatch | undefined,
  { bounds }: Pick<BatchPlaces, 'bounds'>,
): Promise<void> {
  if (!batch) throw new Fault('invalid', `data is ${path}, and ${NO_FILES}`);
  await checkRead(path, bounds);
}
