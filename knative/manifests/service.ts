import type {
  KnativeService,
  OwnerReference,
  RevisionTemplate,
  TrafficEntry,
} from '../api/objects.ts';
import { makeKeeperAnnotation, makeModelLabels } from './labels.ts';
import { serviceName } from './names.ts';

const SERVING = 'serving.knative.dev';

/**
 * A model as a Knative Service, for server-side apply: all that Rouse says of it, and nothing that Knative adds.
 * `template` is the newest revision. Knative never changes a Revision, so one that exists is given as it is there.
 */
export function makeService(options: {
  namespace: string;
  model: string;
  template: RevisionTemplate;
  traffic: readonly TrafficEntry[];
  /** Where its pods fetch from: tells whose it is. */
  artifactsUrl: string;
  /** What the model belongs to: the Service is removed with it, and all else with the Service. */
  owner?: OwnerReference | undefined;
  /** The object that is changed, and no other of its name. */
  uid?: string | undefined;
}): KnativeService {
  const { namespace, model, template, traffic, artifactsUrl, owner, uid } = options;
  return {
    apiVersion: `${SERVING}/v1`,
    kind: 'Service',
    metadata: {
      name: serviceName(model),
      namespace,
      labels: makeModelLabels(model),
      annotations: makeKeeperAnnotation(artifactsUrl),
      ...(uid !== undefined && { uid }),
      ...(owner && {
        ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: false }],
      }),
    },
    spec: { template, traffic },
  };
}
