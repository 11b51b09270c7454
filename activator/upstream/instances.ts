import type { Lease, NewLease } from '#bus/messages.ts';
import type { StateChange } from '#bus/subscriber.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { type Gate, OWN } from '../gate/gate.ts';
import { InstanceRoute } from './instance-route.ts';

/** Where the instances of a revision are. */
export interface InstancesHome {
  /** Of those that are ready or drain. */
  readonly gate: Gate<InstanceRoute>;
  /** The last one is woken first. */
  readonly parked: InstanceRoute[];
}

export interface InstancesEvents {
  /** Of a leased instance only `instance.claimed` slots are used here from now on. */
  readonly onReleased: (instance: InstanceRoute) => void;
  /** Nothing of a draining instance is in flight. */
  readonly onDrained: (instance: InstanceRoute) => void;
  readonly now: () => number;
}

/**
 * The instances that control has told of, and the slots of them that it has leased.
 *
 * Invariant: while its revision is known, an instance is either at the gate or parked, never both.
 */
export class Instances {
  private readonly known = new Map<string, InstanceRoute>();
  private readonly homeOf: (revision: string) => InstancesHome | undefined;
  private readonly events: InstancesEvents;

  /** `homeOf`: undefined for a revision that is not known (any more). */
  constructor(homeOf: (revision: string) => InstancesHome | undefined, events: InstancesEvents) {
    this.homeOf = homeOf;
    this.events = events;
  }

  all(): IterableIterator<InstanceRoute> {
    return this.known.values();
  }

  /** What a change says has gone. */
  removeGone({ full, instances, removedInstances }: StateChange): void {
    if (full) {
      const present = new Set(instances.map((instance) => instance.id));
      for (const id of this.known.keys()) if (!present.has(id)) this.remove(id);
    }
    for (const id of removedInstances) this.remove(id);
  }

  set(instance: RoutingInstance): void {
    const known = this.known.get(instance.id);
    if (known) this.change(known, instance);
    else this.add(instance);
  }

  /** Those that came together. One of an instance that is not known (any more) is no use. */
  lease(leases: readonly NewLease[]): void {
    const gates = new Set<Gate<InstanceRoute>>();
    for (const { instance, slots, sequence, answer } of leases) {
      const route = this.known.get(instance);
      if (!route || route.leased === OWN) continue;
      route.sequence = sequence;
      route.gate.lease(route, slots);
      if (answer) this.events.onReleased(route);
      gates.add(route.gate);
    }
    for (const gate of gates) gate.afterLeases();
  }

  /** What control may count as used here. */
  leases(): Lease[] {
    const leases: Lease[] = [];
    for (const { id, claimed, sequence, draining } of this.known.values()) {
      if (claimed > 0 && !draining) leases.push({ instance: id, slots: claimed, sequence });
    }
    return leases;
  }

  private change(route: InstanceRoute, instance: RoutingInstance): void {
    const isParked = route.index < 0;
    if (instance.state === 'ready') this.setReady(route, instance);
    else if (instance.state === 'draining' && !isParked) drain(route);
    else if (instance.state === 'draining' || !isParked) {
      // What was told between did not come here, as when control was killed: it is a new one.
      this.remove(instance.id);
      this.add(instance);
    }
  }

  private setReady(route: InstanceRoute, instance: RoutingInstance): void {
    if (this.forgetParked(route)) {
      route.setTimes(instance);
      route.gate.add(route);
    } else if (route.draining) {
      route.reopen();
      route.gate.keep(route);
    }
  }

  private add(instance: RoutingInstance): void {
    const home = this.homeOf(instance.revision);
    if (!home) return;
    const route = new InstanceRoute(instance, home.gate, this.events.now);
    if (instance.state === 'draining') {
      this.events.onDrained(route);
      return;
    }
    this.known.set(route.id, route);
    if (instance.state === 'parked') home.parked.push(route);
    else home.gate.add(route);
  }

  private remove(id: string): void {
    const route = this.known.get(id);
    if (!route) return;
    this.known.delete(id);
    if (route.index >= 0) route.gate.lose(route);
    else this.forgetParked(route);
    route.end();
  }

  /** False: it was not parked, or its revision has gone. */
  private forgetParked(route: InstanceRoute): boolean {
    const parked = this.homeOf(route.revision)?.parked ?? [];
    const at = parked.indexOf(route);
    if (at >= 0) parked.splice(at, 1);
    return at >= 0;
  }
}

function drain(route: InstanceRoute): void {
  route.gate.drain(route);
  route.close();
}
