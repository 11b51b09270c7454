import type { Kube } from './kube.ts';
import type { Pod } from './objects.ts';
import { PODS } from './resources.ts';

const OF_JOB = 'batch.kubernetes.io/job-name';

/** Of all of its attempts that are there still. */
export async function podsOfJob(
  kube: Pick<Kube, 'list'>,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<Pod[]> {
  const { items } = await kube.list(PODS, `${OF_JOB}=${name}`);
  return items.filter(({ metadata }) => metadata.namespace === namespace);
}
