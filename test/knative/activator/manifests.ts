import type { Endpoints, ServedRevision } from '#knative/activator/objects.ts';

/** Objects as Knative makes them, as far as the activator reads them. */

const NAMESPACE = 'shop';

export function makeRevision(
  name: string,
  spec: NonNullable<ServedRevision['spec']> = {},
): ServedRevision {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { containerConcurrency: 0, timeoutSeconds: 300, containers: [{}], ...spec },
  };
}

/** Of a revision's Service: where its pods are, or where its requests shall go. */
export function makeEndpoints(
  type: 'Private' | 'Public',
  revision: string,
  {
    ready = [],
    notReady = [],
    port,
    name = 'http',
  }: {
    ready?: readonly string[];
    notReady?: readonly string[];
    port: number;
    name?: string;
  },
): Endpoints {
  return {
    metadata: {
      name: `${revision}${type === 'Private' ? '-private' : ''}`,
      namespace: NAMESPACE,
      labels: {
        'networking.internal.knative.dev/serviceType': type,
        'serving.knative.dev/revision': revision,
      },
    },
    subsets: [
      {
        addresses: ready.map((ip) => ({ ip })),
        notReadyAddresses: notReady.map((ip) => ({ ip })),
        ports: [{ name, port }],
      },
    ],
  };
}
