import { modelKey, partsOfRevisionKey, revisionKey } from '#domain/names.ts';
import { FIELD_MANAGER } from '../api/kube.ts';
import type { KubeObject, Texts } from '../api/objects.ts';
import { serviceName } from './names.ts';

/** What Rouse made says so, and of which model and revision it is. Nothing else is ever changed or deleted. */

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const MODEL = 'rouse.dev/model';
const REVISION = 'rouse.dev/revision';
/** Knative says it of all that it makes for a Service. */
const SERVICE = 'serving.knative.dev/service';
/** Where its pods fetch from: another Rouse on the same cluster has another address. */
const ARTIFACTS = 'rouse.dev/artifacts';

/** Of the jobs of Rouse: which one. A Job of the cluster may be in another namespace than that. */
const JOB = 'rouse.dev/job';
const JOB_NAMESPACE = 'rouse.dev/namespace';

/** Selects what Rouse has made, and what Knative has made from it. */
export const OURS = `${MANAGED_BY}=${FIELD_MANAGER}`;

export function makeModelLabels(model: string): Texts {
  return { [MANAGED_BY]: FIELD_MANAGER, [MODEL]: model };
}

/** Knative hands them on to the Revision, its PodAutoscaler and its pods. */
export function makeRevisionLabels(key: string): Texts {
  const { model, revision } = partsOfRevisionKey(key);
  return { ...makeModelLabels(model), [REVISION]: revision };
}

/** `namespace/model` of what Rouse has made. */
export function modelKeyOf({ metadata }: KubeObject): string | undefined {
  const model = modelIn(metadata);
  return model === undefined ? undefined : modelKey(metadata.namespace ?? '', model);
}

/** Who copies a Service has a stranger's, with our labels and another name, and so has all that Knative makes for it. */
function modelIn({ labels = {} }: KubeObject['metadata']): string | undefined {
  const { [MODEL]: model, [SERVICE]: service } = labels;
  if (model === undefined || service === undefined) return model;
  return service === serviceName(model) ? model : undefined;
}

/** The same of a Service itself. */
export function modelKeyOfService(service: KubeObject): string | undefined {
  const model = service.metadata.labels?.[MODEL];
  return model !== undefined && service.metadata.name === serviceName(model)
    ? modelKeyOf(service)
    : undefined;
}

/** Names a job of Rouse. */
export interface JobName {
  readonly namespace: string;
  readonly id: string;
}

function makeJobLabels({ namespace, id }: JobName): Texts {
  return { [JOB]: id, [JOB_NAMESPACE]: namespace };
}

/** For pods, which are not Rouse's own but their Job's. */
export function makeJobPodLabels(job: JobName, component: 'batch' | 'program'): Texts {
  return {
    'app.kubernetes.io/name': 'rouse',
    'app.kubernetes.io/component': component,
    ...makeJobLabels(job),
  };
}

export function makeOwnJobLabels(job: JobName): Texts {
  return { [MANAGED_BY]: FIELD_MANAGER, ...makeJobLabels(job) };
}

/** Whether Rouse has made it, for this job: a stranger's is not touched. */
export function isMadeForJob(job: JobName, { metadata: { labels = {} } }: KubeObject): boolean {
  return Object.entries(makeOwnJobLabels(job)).every(([name, value]) => labels[name] === value);
}

export function makeKeeperAnnotation(artifactsUrl: string): Texts {
  return { [ARTIFACTS]: artifactsUrl };
}

/** Another Rouse has made it: what is unknown to this one may be known there. */
export function isKeptElsewhere({ metadata }: KubeObject, artifactsUrl: string): boolean {
  const keeper = metadata.annotations?.[ARTIFACTS];
  return keeper !== undefined && keeper !== artifactsUrl;
}

/** Whether Rouse has made it, for this model: of another one, or a stranger's, it is not ours to remove. */
export function isMadeFor(model: string, object: KubeObject): boolean {
  const isOurs = object.metadata.labels?.[MANAGED_BY] === FIELD_MANAGER;
  return isOurs && modelKeyOf(object) === model;
}

/** `namespace/model/revision` of what belongs to one revision. */
export function revisionKeyOf({ metadata }: KubeObject): string | undefined {
  const model = modelIn(metadata);
  const revision = metadata.labels?.[REVISION];
  if (model === undefined || revision === undefined) return undefined;
  return revisionKey(metadata.namespace ?? '', model, revision);
}
