import { z } from 'zod';

/** DNS label: what Knative takes as a name, and what fits into a host name. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_HINT = 'lower-case letters, digits and dashes, at most 63, no dash at either end';

/** Its length stands apart for those who read only schemas, such as a cluster. */
const label = z
  .string({ error: LABEL_HINT })
  .max(63, { error: LABEL_HINT, abort: true })
  .regex(LABEL, LABEL_HINT);

export const modelName = label.meta({ title: 'Name' });
export const namespaceName = label.meta({ title: 'Namespace' });
export const tagName = label.meta({ title: 'Tag' });
export const revisionName = label
  .refine(
    (name) => name !== 'latest',
    'another name: "latest" stands for the newest ready revision',
  )
  .meta({ title: 'Revision name' });

export const DEFAULT_NAMESPACE = 'default';

/** `namespace/model`: the key of a model in the store, on the bus and in logs. */
export function modelKey(namespace: string, model: string): string {
  return `${namespace}/${model}`;
}

/** The parts of a `namespace/model` key. */
export function partsOfModelKey(key: string): { namespace: string; model: string } {
  const [namespace = '', model = ''] = key.split('/');
  return { namespace, model };
}

/** ` -n lab`, at the end of a command that is suggested; nothing for the default one. */
export function namespaceFlag(namespace: string): string {
  return namespace === DEFAULT_NAMESPACE ? '' : ` -n ${namespace}`;
}

/** What keys of a namespace begin with; undefined: of all namespaces. */
export function keyPrefix(namespace: string | undefined): string {
  return namespace === undefined ? '' : `${namespace}/`;
}

/** `namespace/model/revision`. */
export function revisionKey(namespace: string, model: string, revision: string): string {
  return `${namespace}/${model}/${revision}`;
}

/** The parts of a `namespace/model/revision` key. */
export function partsOfRevisionKey(key: string): {
  namespace: string;
  model: string;
  revision: string;
} {
  const [namespace = '', model = '', revision = ''] = key.split('/');
  return { namespace, model, revision };
}

/** `namespace/model` of a revision's key. */
export function modelOf(revision: string): string {
  const { namespace, model } = partsOfRevisionKey(revision);
  return modelKey(namespace, model);
}

/** The first label of a model's host, with a tag or without: `canary-digits`, `digits`. */
export function hostLabel(model: string, tag?: string): string {
  return tag === undefined ? model : `${tag}-${model}`;
}

/** `namespace/model/time` of a model that was deleted; `namespace/model/time/revision` of a revision. */
export function tombstoneKey(model: string, deletedAt: number, revision?: string): string {
  const of = `${model}/${String(deletedAt).padStart(15, '0')}`;
  return revision === undefined ? of : `${of}/${revision}`;
}
