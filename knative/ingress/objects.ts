import type { Condition, KubeObject, Texts } from '../api/objects.ts';
import type { Resource } from '../api/resources.ts';

/** What Rouse's ingress reads of the objects of a cluster; what it does not read is not here. Anything may be missing. */

/** A way into the services of a namespace, as Knative asks for it: `Ingress` of `networking.internal.knative.dev`. */
export interface Ingress extends KubeObject {
  readonly spec?: IngressSpec;
  readonly status?: IngressStatus;
}

export interface IngressSpec {
  readonly tls?: readonly IngressTls[];
  readonly rules?: readonly IngressRule[];
  readonly httpOption?: string;
}

export interface IngressTls {
  readonly hosts?: readonly string[];
  readonly secretName?: string;
  readonly secretNamespace?: string;
}

export interface IngressRule {
  readonly hosts?: readonly string[];
  readonly visibility?: string;
  readonly http?: { readonly paths?: readonly IngressPath[] };
}

export interface IngressPath {
  readonly path?: string;
  readonly rewriteHost?: string;
  readonly headers?: Readonly<Record<string, { readonly exact?: string }>>;
  readonly splits?: readonly IngressSplit[];
  readonly appendHeaders?: Texts;
}

export interface IngressSplit {
  readonly serviceNamespace?: string;
  readonly serviceName?: string;
  readonly servicePort?: number | string;
  readonly percent?: number;
  readonly appendHeaders?: Texts;
}

export interface IngressStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  readonly publicLoadBalancer?: LoadBalancer;
  readonly privateLoadBalancer?: LoadBalancer;
}

export interface LoadBalancer {
  readonly ingress?: readonly { readonly domainInternal?: string }[];
}

export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly externalName?: string;
    readonly ports?: readonly ServicePort[];
  };
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly appProtocol?: string;
}

/** Some of the addresses of a Service. */
export interface EndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly endpoints?: readonly Endpoint[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[];
}

export interface Endpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
}

/** Values in base64. */
export interface Secret extends KubeObject {
  readonly data?: Texts;
}

export const INGRESSES: Resource<Ingress> = {
  root: '/apis/networking.internal.knative.dev/v1alpha1',
  plural: 'ingresses',
};
export const CORE_SERVICES: Resource<Service> = { root: '/api/v1', plural: 'services' };
export const ENDPOINT_SLICES: Resource<EndpointSlice> = {
  root: '/apis/discovery.k8s.io/v1',
  plural: 'endpointslices',
};
/** Others are none of our business. */
export const SECRETS: Resource<Secret> = {
  root: '/api/v1',
  plural: 'secrets',
  fields: 'type=kubernetes.io/tls',
};

/** Which Service a slice belongs to. */
export const SERVICE_LABEL = 'kubernetes.io/service-name';

const CLASS_ANNOTATION = 'networking.knative.dev/ingress.class';
const INGRESS_CLASS = 'rouse.ingress.networking.knative.dev';

export function isOurs({ metadata }: Ingress): boolean {
  return metadata.annotations?.[CLASS_ANNOTATION] === INGRESS_CLASS;
}
