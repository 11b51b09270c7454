import type { RevisionState } from '#domain/records.ts';
import type { Condition, KnativeRevision, KnativeService, PodAutoscaler } from '../api/objects.ts';
import { firstLine } from './ending.ts';

/** What Knative says of one revision. */
export interface KnativeStatus {
  readonly state: RevisionState;
  /** One sentence for a human. */
  readonly reason: string;
  /** With `Failed`: since when, as Knative says it. Told anew, it is another failure. */
  readonly since?: string;
}

interface Told {
  readonly service?: KnativeService | undefined;
  readonly revision?: KnativeRevision | undefined;
  readonly autoscaler?: PodAutoscaler | undefined;
}

/** Reasons that Knative says of a failure, in our words; what it says besides follows. */
const FAILURES: Readonly<Record<string, string>> = {
  ContainerMissing: 'its image cannot be found',
  ErrImagePull: 'its image cannot be pulled',
  ImagePullBackOff: 'its image cannot be pulled',
  FailedCreate: 'the cluster refuses its pods',
  NotOwned: 'a name is taken by something that Rouse did not make',
  RevisionNameTaken: 'its name is taken by another Revision',
  ProgressDeadlineExceeded: 'not ready in time',
  RevisionFailed: 'Knative could not make it',
  CreateContainerConfigError: 'its container cannot be set up',
};
/** It is no failure that the cluster is full: it goes on when there is room. */
const NO_ROOM = new Set(['Unschedulable', 'SchedulingGated']);

/** In this order: what is told first is the cause of what follows. */
const REVISION_CONDITIONS = ['ContainerHealthy', 'ResourcesAvailable'];

export function readStatus({ service, revision, autoscaler }: Told): KnativeStatus {
  if (!revision) return readMissing(service);
  const ready = conditionOf(revision, 'Ready');
  if (ready?.status === 'True') return { state: 'Ready', reason: describeReady(autoscaler) };
  const cause =
    causeOf(revision, REVISION_CONDITIONS) ?? (ready?.status === 'False' ? ready : undefined);
  if (cause && NO_ROOM.has(cause.reason ?? '')) {
    return { state: 'Proving', reason: `waits for room: ${firstLine(cause.message ?? '')}` };
  }
  if (cause) return failed(cause);
  const what = ready?.reason === 'ResolvingDigests' ? 'its image is looked up' : 'it is starting';
  return { state: 'Proving', reason: what };
}

/** What keeps the addresses of a model from working, although its revisions do; nothing: they work. */
export function readRouteProblem(service: KnativeService): string | undefined {
  const routes = conditionOf(service, 'RoutesReady');
  if (routes === undefined || routes.status === 'True') return undefined;
  if (routes.reason === 'IngressNotConfigured') {
    return 'no ingress has taken its addresses yet: is one of the class that Knative is set to installed?';
  }
  return describe(routes);
}

/** There is no Revision yet: the Service says why, when there is a reason. */
function readMissing(service: KnativeService | undefined): KnativeStatus {
  const cause = service && causeOf(service, ['ConfigurationsReady']);
  if (cause) return failed(cause);
  const reason = service ? 'Knative is making its Revision' : 'its Service is not made yet';
  return { state: 'Preparing', reason };
}

function describeReady(autoscaler: PodAutoscaler | undefined): string {
  const active = autoscaler && conditionOf(autoscaler, 'Active');
  if (active?.status === 'False') {
    return active.reason === 'TimedOut'
      ? 'it did not become ready when it was roused last'
      : 'it sleeps';
  }
  return active?.status === 'Unknown' ? 'it is being roused' : 'it runs';
}

function failed(cause: Condition): KnativeStatus {
  const since = cause.lastTransitionTime;
  return { state: 'Failed', reason: describe(cause), ...(since !== undefined && { since }) };
}

function describe({ reason = '', message = '' }: Condition): string {
  const said = firstLine(message);
  const exit = /^ExitCode(\d+)$/.exec(reason)?.[1];
  const what = exit === undefined ? FAILURES[reason] : `exited with status ${exit}`;
  if (what === undefined) return said === '' ? `Knative says ${reason || 'no reason'}` : said;
  return said === '' ? what : `${what}: ${said.replace(/^Container failed with: /, '')}`;
}

function causeOf(
  object: KnativeRevision | KnativeService,
  types: readonly string[],
): Condition | undefined {
  const conditions = types.map((type) => conditionOf(object, type));
  return conditions.find((condition) => condition?.status === 'False');
}

type Conditioned = KnativeRevision | KnativeService | PodAutoscaler;

function conditionOf({ metadata, status }: Conditioned, type: string): Condition | undefined {
  const { observedGeneration } = status ?? {};
  const isOld =
    observedGeneration !== undefined &&
    metadata.generation !== undefined &&
    observedGeneration < metadata.generation;
  // What is said of what was wanted before says nothing of what is wanted now.
  return isOld ? undefined : status?.conditions?.find((each) => each.type === type);
}
