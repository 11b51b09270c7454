import type { TensorInfo } from '#domain/records.ts';
import type { ToActivator } from '../addressing.ts';
import { type Answer, makeRefusal } from './answers.ts';
import type { Plane } from '../plane.ts';
import {
  isElsewhere,
  type ModelRoute,
  mustRefuse,
  type RevisionRoute,
  type Routes,
} from '../routes.ts';
import { noRevision, revisionShown } from './shown-revision.ts';
import { failureOf, type RevisionState, stateOf } from '../status/revision-state.ts';
import { waitsOf } from '../status/waits.ts';

interface V2Server {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

interface V2Model {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly state: RevisionState;
  readonly parameters: { readonly revision: string };
}

const BEST_FIRST = ['awake', 'starting', 'parked', 'asleep', 'preparing', 'failed'] as const;

/** Server and model metadata, health: all that is answered without an instance. */
export function makeLocalAnswer(
  { model, revision, tag, what }: ToActivator,
  plane: Pick<Plane, 'routes' | 'version' | 'now'>,
): Answer {
  if (what === 'v2-server') return json(describeServer(plane.version));
  if (what === 'openai-models') return makeOpenAiModels(plane.routes);
  if (what === 'health' || !model) return makeHealth();
  const shown = revisionShown(model, revision, tag);
  if (!shown) {
    const { status, code, detail } = noRevision(model, revision);
    return makeRefusal('v2', status, code, detail);
  }
  const now = plane.now();
  if (what === 'v2-model') return json(describeModel(model, shown, now));
  return what === 'v1-model' ? makeV1Model(model, shown, now) : makeV2Ready(model, shown, now);
}

/** This server, as V2 describes one. */
export function describeServer(version: string): V2Server {
  return { name: 'rouse', version, extensions: ['binary_tensor_data'] };
}

/** Metadata of a model or of one revision; `state` says whether it sleeps. Wakes nothing. */
export function describeModel(model: ModelRoute, { routing }: RevisionRoute, now: number): V2Model {
  return {
    name: model.routing.name,
    versions: model.routing.revisions.map((revision) => revision.name),
    platform: routing.platform,
    inputs: routing.inputs,
    outputs: routing.outputs,
    state: stateOfModel(model, now),
    parameters: { revision: routing.name },
  };
}

/** Asleep is ready: it can serve. What is refused now is not, nor what could not be reached a moment ago. */
export function isReady(route: RevisionRoute, now: number): boolean {
  const { state, startFailure } = route.routing;
  const isAway = isElsewhere(route) && startFailure !== undefined && startFailure.until > now;
  return state === 'Ready' && !isAway && !mustRefuse(route, now);
}

function json(body: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: JSON.stringify(body) };
}

function makeHealth(): Answer {
  return { status: 200, type: 'text/plain', body: 'ok\n' };
}

function makeV2Ready(model: ModelRoute, shown: RevisionRoute, now: number): Answer {
  const ready = isReady(shown, now);
  const body = { name: model.routing.name, ready, state: stateOfModel(model, now) };
  return json(
    ready ? body : { ...body, error: failureOf(shown.routing) ?? shown.routing.reason },
    ready ? 200 : 503,
  );
}

function makeV1Model(model: ModelRoute, shown: RevisionRoute, now: number): Answer {
  return json({
    name: model.routing.name,
    id: model.routing.name,
    object: 'model',
    owned_by: model.routing.namespace,
    ready: isReady(shown, now),
    state: stateOfModel(model, now),
  });
}

function makeOpenAiModels(routes: Routes): Answer {
  const listed = [...routes.models].filter(([, { routing }]) => routing.ofJob === undefined);
  const data = listed.map(([key, model]) => ({
    id: model.routing.namespace === 'default' ? model.routing.name : key,
    object: 'model',
    created: 0,
    owned_by: model.routing.namespace,
  }));
  return json({ object: 'list', data });
}

/** The best that is true of a revision. */
function stateOfModel(model: ModelRoute, now: number): RevisionState {
  const states = new Set<RevisionState>();
  for (const route of model.revisions.values()) states.add(stateOf(route, waitsOf(route), now));
  return BEST_FIRST.find((state) => states.has(state)) ?? 'preparing';
}
