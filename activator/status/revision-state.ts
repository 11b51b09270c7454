import type { RevisionWaits } from '#bus/messages.ts';
import type { RoutingRevision } from '#domain/routing.ts';
import { isElsewhere, mustRefuse, type RevisionRoute } from '../routes.ts';

/**
 * `failed`: the revision itself, or its last start, and nothing is under way that could change that; or it runs
 * elsewhere, and could not be reached when it was asked last.
 */
export type RevisionState = 'asleep' | 'parked' | 'starting' | 'awake' | 'preparing' | 'failed';

/** What is told of a revision wherever its state is told. */
export function stateOf(
  route: RevisionRoute,
  waits: Pick<RevisionWaits, 'warm' | 'startingSeconds'>,
  now: number,
): RevisionState {
  const { routing, parked } = route;
  if (mustRefuse(route, now)) return 'failed';
  if (routing.startFailure && isElsewhere(route)) return 'failed';
  if (waits.warm) return 'awake';
  if (waits.startingSeconds !== undefined) return 'starting';
  if (routing.state !== 'Ready') return 'preparing';
  if (routing.startFailure) return 'failed';
  return parked.length > 0 ? 'parked' : 'asleep';
}

/** Why it has failed, or why its last start has; undefined: neither has. */
export function failureOf({ state, reason, startFailure }: RoutingRevision): string | undefined {
  return state === 'Failed' ? reason : startFailure?.message;
}
