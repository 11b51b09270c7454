import { partsOfRevisionKey } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { Kube } from '../api/kube.ts';
import type { KnativeService, OwnerReference } from '../api/objects.ts';
import { SERVICES } from '../api/resources.ts';
import type { Servers } from '../manifests/container.ts';
import { revisionName, serviceName } from '../manifests/names.ts';
import { type ClusterLimits, makeRevisionTemplate } from '../manifests/revision.ts';
import { makeService } from '../manifests/service.ts';
import { makeFirstTraffic } from '../manifests/traffic.ts';
import type { Cluster } from './cluster.ts';

/** By force only what is known as ours: a stranger's Service of that name is refused. */
export async function applyOurs(
  kube: Pick<Kube, 'apply'>,
  object: KnativeService,
  isKnown: boolean,
  dryRun = false,
): Promise<KnativeService> {
  try {
    return await kube.apply(SERVICES, object, { force: isKnown, dryRun });
  } catch (error) {
    if (isKnown || !(error instanceof Fault) || error.code !== 'conflict') throw error;
    const { name, namespace } = object.metadata;
    throw new Fault(
      'conflict',
      `Knative Service ${name} in namespace ${namespace} is not Rouse's, and is not touched: ` +
        `expected another name for the model, or that Service away (${error.message})`,
    );
  }
}

/** Asks the cluster whether it would take a revision, with all that its webhooks say, and makes nothing. */
export async function rehearse(
  workload: Workload,
  options: {
    kube: Pick<Kube, 'apply'>;
    cluster: Pick<Cluster, 'services' | 'revisions'>;
    servers: Servers;
    limits: ClusterLimits;
    ownerOf: (model: string) => OwnerReference | undefined;
  },
): Promise<void> {
  const { kube, cluster, ownerOf } = options;
  const { namespace, model } = partsOfRevisionKey(workload.key);
  const name = revisionName(workload);
  if (cluster.revisions.get(namespace, name)) return;
  const service = cluster.services.get(namespace, serviceName(model));
  const object = makeService({
    namespace,
    model,
    template: makeRevisionTemplate(workload, options),
    traffic: service?.spec?.traffic ?? makeFirstTraffic(name),
    artifactsUrl: options.servers.artifactsUrl,
    owner: ownerOf(`${namespace}/${model}`),
    uid: service?.metadata.uid,
  });
  await applyOurs(kube, object, service !== undefined, true);
}
