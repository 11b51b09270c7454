import type { KnativeSettings } from '#domain/server.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { createConnection } from '#knative/client.ts';
import { createKube } from '#knative/kube.ts';
import { DEFAULT_LIMITS } from '#knative/revision.ts';
import { createKnativeRuntime } from '#knative/runtime.ts';
import type { Runtime } from '#runtime/runtime.ts';

/**
 * Instances are pods of the cluster that `kubectl` would take. `local` looks into files, and stays its owner's to
 * close. Throws Fault `unavailable` when the cluster cannot be reached.
 */
export async function createClusterRuntime(options: {
  settings: KnativeSettings;
  local: Runtime;
  artifactKey: (digest: string) => string;
  clock: Clock;
  log: Log;
}): Promise<Runtime> {
  const { settings, local, artifactKey, clock, log } = options;
  const connection = await createConnection();
  const artifactsUrl = new URL('/api/v1/artifacts', settings.control).href;
  try {
    const runtime = await createKnativeRuntime({
      kube: createKube(connection, clock),
      servers: { image: settings.image, artifactsUrl, artifactKey },
      limits: DEFAULT_LIMITS,
      ownerOf: () => undefined,
      inspect: (workload) => local.inspect(workload),
      clock,
      roll: Math.random,
      log,
    });
    return {
      ...runtime,
      async close(graceMs) {
        await runtime.close(graceMs);
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}
