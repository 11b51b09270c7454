import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from '../api/kube.ts';
import { CONFIG_MAPS, DEFINITIONS } from '../api/resources.ts';
import { decideScaleCarrier, type ScaleCarrier } from '../manifests/autoscaling.ts';
import { type ClusterLimits, DEFAULT_LIMITS, readLimits } from '../manifests/revision.ts';

/** The Knative that is installed, as far as it matters how Revisions are made and steered. */
export interface Installed {
  readonly carrier: ScaleCarrier;
  readonly limits: ClusterLimits;
}

/** Its label says which version it is. */
const DEFINITION = { name: 'services.serving.knative.dev' };
const VERSION_LABEL = 'app.kubernetes.io/version';
const CONFIG = { namespace: 'knative-serving', name: 'config-defaults' };

/** Throws Fault `unavailable` when the cluster does not say. */
export async function readInstalled(kube: Pick<Kube, 'get'>, log: Log): Promise<Installed> {
  const definition = await kube.get(DEFINITIONS, DEFINITION);
  const carrier = decideScaleCarrier(definition?.metadata.labels?.[VERSION_LABEL]);
  try {
    const config = await kube.get(CONFIG_MAPS, CONFIG);
    return { carrier, limits: readLimits(config?.data ?? {}) };
  } catch (error) {
    // Whoever runs Rouse by hand may have fewer rights than the install gives.
    if (!(error instanceof Fault) || error.code !== 'forbidden') throw error;
    log.debug({ err: error.message }, "Knative's own limits are taken for those of the cluster");
    return { carrier, limits: DEFAULT_LIMITS };
  }
}
