import type { ArtifactKeys } from '#control/usecases/artifact-keys.ts';
import type { KnativeSettings } from '#domain/server.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { createShardJobs, type ShardJobs } from '#knative/batch/shard-jobs.ts';
import { createMetricsApi, type MetricsApi } from '#knative/metrics-api/metrics-api.ts';
import { createProgramJobs, type ProgramJobs } from '#knative/programs/program-jobs.ts';
import { createModelMirror } from '#knative/models/model-mirror.ts';
import { createModelObjects, type ModelObjects } from '#knative/models/models.ts';
import type { ModelPlatform } from '#knative/models/platform.ts';
import { createKnativeRuntime } from '#knative/runtime/runtime.ts';
import { DEFAULTS } from '#runtime/local/environment.ts';
import type { Runtime } from '#runtime/runtime.ts';
import { SHARD } from './jobs/job-runner.ts';

/** How a step of the pod of a program is started, in our image. */
const STEP = ['node', '--no-warnings', 'src/serve/pod/program.ts'];

/** The cluster as Rouse works with it. */
export interface ClusterRuntime {
  readonly runtime: Runtime;
  /** Undefined: jobs have no pods. */
  readonly shards: ShardJobs | undefined;
  readonly programs: ProgramJobs;
  /** Models come from the cluster, too. Ends before what the platform is made of. Undefined: they do not. */
  readonly followModels: ((platform: ModelPlatform) => ModelObjects) | undefined;
}

/**
 * Instances are pods of the cluster that `kubectl` would take. `local` looks into files and reaches what runs
 * elsewhere, and stays its owner's to close. Throws Fault `unavailable` when the cluster cannot be reached.
 */
export async function createClusterRuntime(options: {
  settings: KnativeSettings;
  local: Runtime;
  keys: Pick<ArtifactKeys, 'keyOf' | 'outputKeyOf'>;
  clock: Clock;
  log: Log;
}): Promise<ClusterRuntime> {
  const { settings, local, keys, clock, log } = options;
  const connection = await createConnection();
  const servers = {
    image: settings.image,
    artifactsUrl: new URL('/api/v1/artifacts', settings.control).href,
    artifactKey: (digest: string): string => keys.keyOf(digest),
  };
  const kube = createKube(connection, clock);
  const mirror = settings.models
    ? createModelMirror({ kube, clock, roll: Math.random, log })
    : undefined;
  try {
    // What is made for a model says whose it is, from the first look at it on.
    await mirror?.looked;
    const runtime = await createKnativeRuntime({
      kube,
      servers,
      ownerOf: (model) => mirror?.ownerOf(model),
      local,
      clock,
      roll: Math.random,
      log,
    });
    const { metrics: source } = runtime;
    const metrics = await serveMetrics(settings, { kube, source, clock, log }).catch(
      async (error: unknown) => {
        await runtime.close(0);
        throw error;
      },
    );
    return {
      runtime: {
        ...runtime,
        async close(graceMs) {
          await metrics?.close();
          await runtime.close(graceMs);
          await mirror?.close();
          connection.close();
        },
      },
      shards: createShards(settings, { kube, clock, log }),
      programs: createProgramJobs({
        kube,
        outfit: {
          servers,
          step: STEP,
          env: DEFAULTS,
          outputUrl: ({ namespace, id, attempt }) =>
            new URL(
              `/api/v1/namespaces/${namespace}/jobs/${id}/attempts/${attempt}/output`,
              settings.control,
            ).href,
          outputKey: (attempt) => keys.outputKeyOf(attempt),
        },
        clock,
        log,
      }),
      followModels:
        mirror && ((platform) => createModelObjects({ kube, mirror, platform, clock, log })),
    };
  } catch (error) {
    await mirror?.close();
    connection.close();
    throw error;
  }
}

function createShards(
  { image, batch }: KnativeSettings,
  parts: Omit<Parameters<typeof createShardJobs>[0], 'outfit'>,
): ShardJobs | undefined {
  if (!batch?.shards) return undefined;
  const { claim } = batch.shards;
  return createShardJobs({ ...parts, outfit: { image, ...SHARD, claim, folder: batch.folder } });
}

async function serveMetrics(
  { metrics: address }: KnativeSettings,
  options: Omit<Parameters<typeof createMetricsApi>[0], 'address'>,
): Promise<MetricsApi | undefined> {
  return address && (await createMetricsApi({ ...options, address }));
}
