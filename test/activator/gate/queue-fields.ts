import type { Gate, Waiter } from '#activator/gate/gate.ts';
import type { Flow } from '#activator/gate/shares.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';

/** What a gate and its queue keep in who waits, as it is before that. */
export class QueueFields {
  previous: Waiter<InstanceRoute> | undefined;
  next: Waiter<InstanceRoute> | undefined;
  waitsIn: Gate<InstanceRoute> | undefined;
  flow: Flow<Waiter<InstanceRoute>> | undefined;
  order = 0;
  turn = 0;
  counted = 0;
}
