import { namespaceFlag } from '#domain/names.ts';
import { PRIORITIES } from '#domain/priority.ts';
import type { RoutingRevision } from '#domain/routing.ts';
import { formatDuration } from '#domain/units.ts';
import { ROUSE } from '#lib/command.ts';
import { FULL_BYTES, FULL_COUNT } from '#policies/admission.ts';
import type { Refused } from '../gate/gate.ts';
import type { RequestHead } from '../http/request-head.ts';
import { MAX_HOLD_MS, MAX_ROUTED_BODY } from '../plane.ts';
import { quote } from '../quote.ts';
import { type Refusal, refusal, type TimeLimit } from '../refusal.ts';
import type { ModelRoute, RevisionRoute } from '../routes.ts';
import { retryAfterOf } from '../status/waits.ts';

/** Nothing tries a failed revision again by itself: it takes somebody who deploys, and that takes a while. */
const FAILED_RETRY_S = 30;
/** What stands behind a way in is most likely being replaced. */
const AWAY_RETRY_S = 1;

export const STARTING = refusal(
  'unavailable',
  'Rouse is starting: which models there are is not known yet.',
  { retryAfter: 1 },
);
export const BODY_TOO_LARGE_TO_ROUTE = refusal(
  'too_large',
  `The body is larger than ${MAX_ROUTED_BODY} bytes.`,
);
export const TOO_MANY_BODIES = refusal(
  'unavailable',
  'The bodies of all waiting requests together are as large as they may be.',
  { retryAfter: 1 },
);
export const TOO_MANY_HEADS = refusal(
  'unavailable',
  'The large heads of all requests, and the bodies of those that wait, are together as large as they may be.',
  { retryAfter: 1 },
);
export const NOT_JSON = refusal(
  'bad_request',
  'The body is not JSON, so the model it names is unknown.',
);
export const TOO_MANY_WATCHES = refusal(
  'unavailable',
  'As many follow the status of models as may. Ask without text/event-stream.',
  { retryAfter: 1 },
);
/** `limit`: streams of one caller. */
export function makeTooManyOfCaller(limit: number): Refusal {
  const detail = `You follow the status of models ${limit} times already, as often as one caller may. Ask without text/event-stream.`;
  return refusal('caller_over_share', detail, { retryAfter: 1 });
}

export const UNKNOWN_KEY = refusal(
  'unauthorized',
  'This key of Rouse is not known. A request without a key needs no Authorization.',
);
export const MISPLACED_KEY = refusal(
  'unauthorized',
  'A key of Rouse belongs in "Authorization: Bearer" alone: elsewhere the model would see it.',
);
export const BAD_FORWARDED = refusal(
  'bad_request',
  'What a trusted proxy says of the caller (Forwarded, X-Forwarded-*) is malformed.',
);
export const FORWARDED_DISAGREE = refusal(
  'bad_request',
  'Forwarded and X-Forwarded-For name different callers.',
);
export const BAD_TIMEOUT = refusal(
  'bad_request',
  'grpc-timeout must be at most 8 digits and a unit, such as 500m or 5S.',
);
export const UNASKED_UPGRADE = refusal(
  'bad_upstream',
  'The instance switched protocols without being asked.',
);

export const LEAVES_BASE = refusal(
  'bad_request',
  'The path has a "." or ".." between slashes, which would lead out of the address of the model.',
);

const REQUEST_ID = '1 to 128 letters, digits, dots, dashes and underscores';

/** What the header of ours would have to be. */
const RIGHT = {
  'Rouse-Hold': `a duration such as 500ms, 5s or 0; of more than ${formatDuration(MAX_HOLD_MS)} as much is taken`,
  'Rouse-Priority': `one of ${PRIORITIES.join(', ')}`,
  'Rouse-Request-Id': REQUEST_ID,
  '?request=': REQUEST_ID,
  'Rouse-Deadline': 'a duration such as 10m or 6h',
  'Rouse-Webhook': 'one http:// or https:// address, without a user or a password in it',
  'Idempotency-Key': 'one, of 1 to 255 visible ASCII characters',
  'Rouse-Status': 'true, or wake to have the model woken meanwhile',
} as const;

/** `name`: of a header, or of a parameter of the status address. */
export function makeBadField(name: keyof typeof RIGHT, value: string): Refusal {
  const detail = `${name} is ${quote(value)}; it must be ${RIGHT[name]}.`;
  return refusal('bad_request', detail);
}

export function makeLost(reason: string): Refusal {
  const detail = `The instance was lost before it answered: ${reason}.`;
  return refusal('instance_lost', detail);
}

/** The gate has no place for it to wait, by what its `enter` said. */
export function makeNotAdmitted(route: RevisionRoute, decision: number): Refusal {
  if (decision === FULL_COUNT) return makeFull(route, 'count');
  return decision === FULL_BYTES ? makeFull(route, 'bytes') : makeOverShare(route);
}

function makeFull(route: RevisionRoute, what: 'count' | 'bytes'): Refusal {
  const { model, routing } = route;
  const { queue } = model;
  const why =
    what === 'count'
      ? `${queue.requests} requests wait already, as many as may${tellShare(queue.requests, model.routing.queue.requests)}`
      : `waiting requests hold as many bytes as they may, ${queue.bytes}${tellShare(queue.bytes, model.routing.queue.bytes)}`;
  const detail = `Revision ${routing.name} of ${model.routing.name} is overloaded: ${why}.`;
  return refusal('queue_full', detail, { retryAfter: retryAfterOf(route) });
}

/** Where several workers share a limit, each has its part. */
function tellShare(own: number, all: number): string {
  return own === all ? '' : ` at this worker, whose share of ${all} that is`;
}

export function makeOverShare(route: RevisionRoute): Refusal {
  const { model } = route;
  const detail =
    `The queue of ${model.routing.name} is full, and no caller has more requests or bytes waiting in it than you. ` +
    'What came last of them is refused in favour of others.';
  return refusal('caller_over_share', detail, { retryAfter: retryAfterOf(route) });
}

export function makeNoGrpc({ model, routing }: RevisionRoute): Refusal {
  const detail = `${model.routing.name} is of runtime ${routing.runtime}, which serves inference.GRPCInferenceService only.`;
  return refusal('not_implemented', detail);
}

export function makeNoHttp2({ model }: RevisionRoute): Refusal {
  const detail = `${model.routing.name} does not speak HTTP/2, which this request needs.`;
  return refusal('not_implemented', detail);
}

export function makeHttp2Only({ model }: RevisionRoute): Refusal {
  const detail = `${model.routing.name} speaks HTTP/2 only, as gRPC servers do: call it with a gRPC client.`;
  return refusal('not_implemented', detail);
}

/** The gate has no slot for it, and it may not wait. */
export function makeNoHold(route: RevisionRoute, { rouseHold }: RequestHead): Refusal {
  const limit = rouseHold === '' ? 'timeouts.hold of the model' : 'Rouse-Hold';
  const detail = `No instance of ${route.model.routing.name} is free now, and the request does not wait (${limit}: 0).`;
  return refusal('unavailable', detail, { retryAfter: retryAfterOf(route) });
}

/** `limit`: what ended the wait. */
export function makeHoldEnded(route: RevisionRoute, waitedMs: number, limit: TimeLimit): Refusal {
  const { model, gate } = route;
  const state = gate.isWarm ? 'all its instances are busy' : 'no instance became ready';
  const detail =
    `The request waited ${formatDuration(waitedMs)} for ${model.routing.name} and ${state}. ` +
    `What ended the wait: ${limit.words}.${tellCause(route, limit)}`;
  return refusal('hold_timeout', detail, { retryAfter: retryAfterOf(route) });
}

/** A way in does not start what stands behind it. */
export function makeNobodyThere({ model }: RevisionRoute, waitedMs: number): Refusal {
  const detail = `Nobody takes requests for ${model.routing.name}, and nobody came within ${formatDuration(waitedMs)}.`;
  return refusal('unavailable', detail, { retryAfter: AWAY_RETRY_S });
}

function tellCause({ gate, routing }: RevisionRoute, { ms, name }: TimeLimit): string {
  if (gate.isWarm) return '';
  if (routing.waitingFor !== undefined) return ` The instance ${routing.waitingFor}`;
  if (routing.startFailure) return ` Its last start failed: ${routing.startFailure.message}`;
  const startMs = routing.coldStartSeconds * 1000;
  return startMs > ms ? ` A start takes about ${formatDuration(startMs)}: raise ${name}.` : '';
}

/** `limit`: what ended the wait, in words. */
export function makeRunEnded(limit: string): Refusal {
  const detail = `The model did not answer in time. What ended the wait: ${limit}.`;
  return refusal('run_timeout', detail);
}

function makeFailed({ model, routing }: RevisionRoute, now: number): Refusal {
  const what = `Revision ${routing.name} of ${model.routing.name} has failed: ${routing.reason}`;
  const detail = withLogs(what, model);
  const retryAfter = Math.max(FAILED_RETRY_S, secondsLeft(routing, now));
  return refusal('revision_failed', detail, { retryAfter });
}

function withLogs(what: string, { routing: { namespace, name } }: ModelRoute): string {
  const logs = `${ROUSE} logs ${name}${namespaceFlag(namespace)}`;
  return `${what.replace(/[.]$/, '')}. See: ${logs}`;
}

/** Until when the last start's failure is remembered. */
function secondsLeft({ startFailure }: RoutingRevision, now: number): number {
  return startFailure ? Math.max(1, Math.ceil((startFailure.until - now) / 1000)) : 1;
}

/** The gate gave up on everybody who waited. */
export function makeGivenUp(
  route: RevisionRoute,
  reason: Exclude<Refused, 'displaced'>,
  now: number,
): Refusal {
  const { model, routing } = route;
  if (reason === 'removed') {
    const detail = 'The revision was deleted while the request waited for it.';
    return refusal('not_found', detail);
  }
  if (routing.state === 'Failed') return makeFailed(route, now);
  const revision = `Revision ${routing.name} of ${model.routing.name}`;
  const why = routing.startFailure?.message ?? routing.reason;
  const detail =
    routing.runtime === 'url'
      ? `${revision} cannot be reached: ${why}`
      : withLogs(`${revision} does not start: ${why}`, model);
  return refusal('start_failed', detail, { retryAfter: secondsLeft(routing, now) });
}
