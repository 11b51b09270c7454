import type { RevisionWaits } from '#bus/messages.ts';
import { isElsewhere, type RevisionRoute } from '../routes.ts';
import { failureOf, type RevisionState, stateOf } from './revision-state.ts';
import { addWaits, expectedWait } from './waits.ts';

/** What a status address tells, as JSON. Durations in seconds; null: nothing was measured that would tell. */
export interface Status {
  readonly namespace: string;
  readonly model: string;
  readonly revision: string;
  readonly state: RevisionState;
  /** Why it has failed, or why the last start has while it is tried again; or what the start waits for. */
  readonly reason?: string;
  readonly waiting: number;
  readonly inFlight: number;
  /** Not all processes that serve this model have told what waits at them: the numbers are of some. */
  readonly partial?: true;
  /** Of a request that comes now. */
  readonly expectedWaitSeconds: number | null;
  /** The request that was asked for. */
  readonly request?: RequestStatus;
}

/** `position` 1 is the next. `unknown`: it does not wait: not yet, not any more, or it never had to. */
type RequestStatus =
  | {
      readonly id: string;
      readonly state: 'waiting';
      readonly position: number;
      readonly expectedWaitSeconds: number | null;
    }
  | { readonly id: string; readonly state: 'unknown' | 'granted' | 'refused' };

/**
 * @param told what each data plane says: this one, and the others if there are any.
 * @param requestId the request that was asked for, or ''.
 */
export function makeStatus(
  route: RevisionRoute,
  now: number,
  told: readonly RevisionWaits[],
  requestId = '',
): Status {
  const { routing, model } = route;
  const waits = addWaits(told);
  const state = stateOf(route, waits, now);
  const isTrying = state === 'failed' || state === 'starting' || state === 'preparing';
  const reason = isTrying ? (routing.waitingFor ?? tellFailure(route, now)) : undefined;
  return {
    namespace: model.routing.namespace,
    model: model.routing.name,
    revision: routing.name,
    state,
    ...(reason !== undefined && { reason }),
    waiting: waits.waiting,
    inFlight: waits.inFlight,
    expectedWaitSeconds: state === 'failed' ? null : waitOf(route, waits, waits.waiting),
    ...(requestId !== '' && { request: makeRequestStatus(route, told, waits, requestId) }),
  };
}

/** Of what runs elsewhere nothing newer is known than what the last request met. */
function tellFailure(route: RevisionRoute, now: number): string | undefined {
  const { startFailure } = route.routing;
  const failure = failureOf(route.routing);
  const isOld = isElsewhere(route) && startFailure !== undefined && startFailure.until <= now;
  return isOld ? `${failure} (last known)` : failure;
}

/** Grants go to data planes in proportion to who waits there, so that all queues move on alike. */
function makeRequestStatus(
  route: RevisionRoute,
  told: readonly RevisionWaits[],
  waits: RevisionWaits,
  id: string,
): RequestStatus {
  const holder = told.find(({ ahead }) => ahead !== undefined);
  if (holder?.ahead === undefined) {
    return { id, state: told.find(({ ended }) => ended)?.ended ?? 'unknown' };
  }
  const ahead = Math.round((holder.ahead * waits.waiting) / Math.max(1, holder.waiting));
  const expectedWaitSeconds = waitOf(route, waits, ahead);
  return { id, state: 'waiting', position: ahead + 1, expectedWaitSeconds };
}

function waitOf(route: RevisionRoute, waits: RevisionWaits, ahead: number): number | null {
  const seconds = expectedWait(route, waits, ahead);
  if (seconds === undefined) return null;
  const unit = seconds < 1 ? 100 : 10;
  return Math.ceil(seconds * unit) / unit;
}
