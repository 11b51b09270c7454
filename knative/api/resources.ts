import type {
  ConfigMap,
  Job,
  KnativeRevision,
  KnativeService,
  KubeObject,
  Pod,
  PodAutoscaler,
} from './objects.ts';

/** A kind of objects in the cluster, by its path in the API. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** `/api/v1` or `/apis/group/version`. */
  readonly root: string;
  readonly plural: string;
  /** Only those with these fields are listed and watched: a field selector. */
  readonly fields?: string;
  /** Who is removed stays until all that belongs to it has gone. */
  readonly lingers?: true;
  /** Of the type only: what its objects are. */
  readonly holds?: T;
}

export const SERVICES: Resource<KnativeService> = {
  root: '/apis/serving.knative.dev/v1',
  plural: 'services',
};
export const REVISIONS: Resource<KnativeRevision> = {
  root: '/apis/serving.knative.dev/v1',
  plural: 'revisions',
};
export const PODAUTOSCALERS: Resource<PodAutoscaler> = {
  root: '/apis/autoscaling.internal.knative.dev/v1alpha1',
  plural: 'podautoscalers',
};
export const PODS: Resource<Pod> = { root: '/api/v1', plural: 'pods' };
export const JOBS: Resource<Job> = { root: '/apis/batch/v1', plural: 'jobs', lingers: true };
export const CONFIG_MAPS: Resource<ConfigMap> = { root: '/api/v1', plural: 'configmaps' };
export const DEFINITIONS: Resource = {
  root: '/apis/apiextensions.k8s.io/v1',
  plural: 'customresourcedefinitions',
};

/** One object, or all of a kind. Absent namespace: in all of them, or it has none. */
export interface Place {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export function pathOf(resource: Resource, place: Place, query: Query = {}): string {
  const { namespace, name, subresource } = place;
  const parts = [
    resource.root,
    ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]),
    resource.plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) search.set(key, String(value));
  }
  const text = search.toString();
  return parts.join('/') + (text === '' ? '' : `?${text}`);
}

/** For messages: `services.serving.knative.dev digits in namespace shop`. */
export function describePlace(resource: Resource, { namespace, name }: Place): string {
  const group = resource.root.split('/')[2];
  const kind = resource.root.startsWith('/apis/') ? `${resource.plural}.${group}` : resource.plural;
  const what = name === undefined ? kind : `${kind} ${name}`;
  return namespace === undefined ? what : `${what} in namespace ${namespace}`;
}
