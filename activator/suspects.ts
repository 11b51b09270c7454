import type { Upward } from '#bus/messages.ts';
import type { Timers } from '#lib/timers.ts';
import type { Plane } from './plane.ts';

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
  send: (message: Extract<Upward, { type: 'suspect' }>) => void;
}): Pick<Plane, 'onUnreachable' | 'onSilent'> {
  const { timers, send } = options;
  return {
    onUnreachable(slot, reason) {
      // One incident, however many requests met it.
      if (slot.suspended) return;
      send({ type: 'suspect', instance: slot.id, reason });
      slot.gate.suspend(slot);
      timers.after(SUSPEND_MS, () => slot.gate.resume(slot));
    },
    onSilent(slot, reason) {
      slot.silences += 1;
      if (slot.silences < MAX_SILENCES) return;
      slot.silences = 0;
      send({ type: 'suspect', instance: slot.id, reason, hangs: true });
    },
  };
}
