import type { ModelInput } from '#domain/model.ts';
import { modelKey } from '#domain/names.ts';
import { isModel, parseModel } from '#domain/parse.ts';
import type { Actor } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { FIELD_MANAGER } from '../api/kube.ts';
import type { KubeObject, OwnerReference } from '../api/objects.ts';
import type { Resource } from '../api/resources.ts';
import type { ModelObjectStatus } from './status.ts';

/** A Model object of the cluster, and what it says to Rouse. */
export interface ModelObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: ModelObjectStatus;
}

const API_VERSION = 'rouse.dev/v1alpha1';
const KIND = 'Model';
export const MODELS: Resource<ModelObject> = { root: `/apis/${API_VERSION}`, plural: 'models' };

/** Keeps the object there until its model is gone from Rouse. */
const FINALIZER = 'rouse.dev/model';
/** Lets the object have a model that was applied by way of the API. */
export const TAKE_OVER = 'rouse.dev/take-over';
/** Of names that others chose; an actor's has room for as many. */
const LONGEST_MANAGER = 100;

export function isHeld({ metadata }: ModelObject): boolean {
  return metadata.finalizers?.includes(FINALIZER) === true;
}

export function isEnding({ metadata }: ModelObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

export function takesOver({ metadata }: ModelObject): boolean {
  return metadata.annotations?.[TAKE_OVER] === 'true';
}

/**
 * The model file that it is. Labels belong to it; annotations are the tools' of the cluster, which put whatever they
 * like there. Throws Fault `invalid` with all that the API server did not see.
 */
export function readDocument({ metadata, spec }: ModelObject): ModelInput {
  const { name, namespace = '', labels } = metadata;
  const document = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace, ...(labels && { labels }) },
    spec,
  };
  if (isModel(document)) return document;
  parseModel(document, `model ${modelKey(namespace, name)}`);
  throw new Fault('internal', 'a document is right and wrong');
}

/** Who set its spec last, by the name that the tool goes by: kubectl-edit, argocd-controller, … */
export function actorOf({ metadata }: ModelObject): Actor {
  const entries = (metadata.managedFields ?? []).filter(
    ({ manager, subresource }) => manager !== FIELD_MANAGER && subresource === undefined,
  );
  const [newest] = entries.toSorted((a, b) => Date.parse(b.time ?? '') - Date.parse(a.time ?? ''));
  return actorNamed(newest?.manager?.slice(0, LONGEST_MANAGER) ?? 'unknown');
}

/** Where the object itself is the reason: its end, its absence. */
export const OBJECT_ACTOR: Actor = actorNamed('Model');

/** For server-side apply: with our finalizer, and nothing else of it. */
export function makeHold({ metadata }: ModelObject): ModelObject {
  return makeIdentity(metadata, { finalizers: [FINALIZER] });
}

/**
 * A merge patch of the object as it was seen: without our finalizer, whoever set it. An object that was restored, or
 * applied as it was exported, has it from others, and an apply takes away only what was ours.
 */
export function makeRelease({ metadata }: ModelObject): object {
  const { uid, resourceVersion, finalizers = [] } = metadata;
  const others = finalizers.filter((each) => each !== FINALIZER);
  return { metadata: { uid, resourceVersion, finalizers: others } };
}

/** For server-side apply of the status. */
export function makeTold({ metadata }: ModelObject, status: ModelObjectStatus): ModelObject {
  return { ...makeIdentity(metadata), status };
}

/** For what is made of it: goes when it goes, whatever becomes of Rouse. */
export function makeOwnerReference({ metadata: { name, uid = '' } }: ModelObject): OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid };
}

/** This one, and no other that came to have its name. */
function makeIdentity(
  { name, namespace, uid }: KubeObject['metadata'],
  more: Partial<KubeObject['metadata']> = {},
): ModelObject {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...more,
    },
  };
}

function actorNamed(manager: string): Actor {
  return { id: `kubernetes:${manager}`, role: 'deploy' };
}
