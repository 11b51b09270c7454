import type { KubeObject } from '../api/objects.ts';
import type { Resource } from '../api/resources.ts';

/** What the activator reads of a Revision. Anything may be missing. */
export interface ServedRevision extends KubeObject {
  readonly spec?: {
    readonly containerConcurrency?: number;
    readonly timeoutSeconds?: number;
    readonly responseStartTimeoutSeconds?: number;
    readonly idleTimeoutSeconds?: number;
    readonly containers?: readonly ServedContainer[];
  };
}

export interface ServedContainer {
  readonly ports?: readonly { readonly name?: string }[];
  readonly readinessProbe?: { readonly exec?: unknown };
  readonly startupProbe?: unknown;
}

/** Addresses behind a Service, in groups that have the same ports. */
export interface Endpoints extends KubeObject {
  readonly subsets?: readonly {
    readonly addresses?: readonly { readonly ip: string }[];
    readonly notReadyAddresses?: readonly { readonly ip: string }[];
    readonly ports?: readonly { readonly name?: string; readonly port: number }[];
  }[];
}

export const SERVED_REVISIONS: Resource<ServedRevision> = {
  root: '/apis/serving.knative.dev/v1',
  plural: 'revisions',
};

/** Knative's own role of the activator has these, and no EndpointSlices. */
export const ENDPOINTS: Resource<Endpoints> = { root: '/api/v1', plural: 'endpoints' };

const REVISION = 'serving.knative.dev/revision';
const SERVICE_TYPE = 'networking.internal.knative.dev/serviceType';

/** Of the Services whose endpoints are the pods of a revision. */
export const PRIVATE = `${SERVICE_TYPE}=Private,${REVISION}`;
/** Of those whose endpoints are where requests shall go: the pods, or some activators. */
export const PUBLIC = `${SERVICE_TYPE}=Public,${REVISION}`;

/** The revision that endpoints are for, as `namespace/name`; undefined: for none. */
export function revisionOf({ metadata }: Endpoints): string | undefined {
  const name = metadata.labels?.[REVISION];
  return name === undefined ? undefined : `${metadata.namespace ?? ''}/${name}`;
}
