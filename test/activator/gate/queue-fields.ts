import type { Gate, Waiter } from '#activator/gate/gate.ts';
import type { Flow } from '#activator/gate/shares.ts';
import type { Slot } from '#activator/upstream/slot.ts';

/** What a gate and its queue keep in who waits, as it is before that. */
export class QueueFields {
  previous: Waiter<Slot> | undefined;
  next: Waiter<Slot> | undefined;
  waitsIn: Gate<Slot> | undefined;
  flow: Flow<Waiter<Slot>> | undefined;
  order = 0;
  turn = 0;
}
