import type { Upward } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';
import type { Plane } from '../plane.ts';

/** An instance that refused a connection gets no request for this long. */
const SUSPEND_MS = 250;
/**
 * An instance that left so many requests in a row without an answer, each for as long as it may run, hangs. One
 * can be a long computation.
 */
const MAX_SILENCES = 3;

/** What is done about instances that do not behave: control is told, and may end them. */
export function createSuspects(options: {
  timers: Timers;
  send: (message: Extract<Upward, { type: 'suspect' | 'reached' }>) => void;
}): Pick<Plane, 'onUnreachable' | 'onSilent' | 'onReached'> {
  const { timers, send } = options;
  return {
    onUnreachable(instance, reason) {
      // One incident, however many requests met it.
      if (instance.suspended) return;
      send({ type: 'suspect', instance: instance.id, reason });
      instance.gate.suspend(instance);
      timers.after(SUSPEND_MS, () => instance.gate.resume(instance));
    },
    onReached(instance, failure) {
      if (instance.reachedAfter === failure) return;
      instance.reachedAfter = failure;
      send({ type: 'reached', instance: instance.id });
    },
    onSilent(instance, reason) {
      instance.silences += 1;
      if (instance.silences < MAX_SILENCES) return;
      instance.silences = 0;
      send({ type: 'suspect', instance: instance.id, reason, hangs: true });
    },
  };
}
