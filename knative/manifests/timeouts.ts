import type { Timeouts } from '#domain/model.ts';
import { formatDuration } from '#domain/units.ts';
import { Fault } from '#lib/fault.ts';
import type { RevisionPodSpec } from '../api/objects.ts';

type KnativeTimeouts = Pick<
  RevisionPodSpec,
  'timeoutSeconds' | 'responseStartTimeoutSeconds' | 'idleTimeoutSeconds'
>;

/**
 * Knative counts from the arrival, the wait for an instance included, in whole seconds. `most` is the cluster's
 * `max-revision-timeout-seconds`. Throws Fault `invalid` when hold and run do not fit into it.
 */
export function makeTimeouts(timeouts: Timeouts, most: number): KnativeTimeouts {
  const { hold, run, idle, total } = timeouts;
  const first = seconds(hold + run);
  if (first > most) {
    throw new Fault(
      'invalid',
      `timeouts: hold ${formatDuration(hold)} and run ${formatDuration(run)} are ` +
        `${formatDuration(hold + run)} together; this cluster allows ${formatDuration(most * 1000)} ` +
        'for a whole request (max-revision-timeout-seconds)',
    );
  }
  const timeoutSeconds = total === undefined ? most : Math.min(most, seconds(total));
  return {
    timeoutSeconds,
    responseStartTimeoutSeconds: Math.min(first, timeoutSeconds),
    ...(idle > 0 && { idleTimeoutSeconds: Math.min(seconds(idle), timeoutSeconds) }),
  };
}

/** Rounded up: nothing ends earlier than its file says. 0 would be no limit. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
