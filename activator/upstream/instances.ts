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
  readonly onDrained: (instance: Pick<InstanceRoute, 'id'>) => void;
  /** What dozed is sent nothing before it is ready. */
  readonly onClosed: (instance: InstanceRoute) => void;
  readonly now: () => number;
}

/**
 * The instances that control has told of, and the slots of them that it has leased.
 *
 * Invariants:
 * 1. While its revision is known, an instance is either at the gate or parked, never both.
 * 2. What control says of one that was roused, before it has heard of that, changes nothing, unless it ends: it is about to
 *    be ready.
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

  /** Takes one to send to that dozes: control is to hear of it at once. */
  rouse({ parked }: InstancesHome): InstanceRoute | undefined {
    const route = parked.at(-1);
    if (!route?.dozes) return undefined;
    parked.pop();
    route.rouse();
    return route;
  }

  private change(route: InstanceRoute, instance: RoutingInstance): void {
    const isParked = route.index < 0;
    if (instance.state === 'ready') this.setReady(route, instance);
    else if (instance.state === 'draining' && !isParked) drain(route);
    else if (instance.state === 'draining' || !(isParked || route.isRoused)) {
      // What was told between did not come here, as when control was killed: it is a new one.
      this.remove(instance.id);
      this.add(instance);
    } else if (isParked) this.setParked(route, instance);
  }

  private setParked(route: InstanceRoute, { state }: RoutingInstance): void {
    const isClosed = route.dozes && state === 'parked';
    route.dozes = state === 'dozing';
    if (isClosed) this.events.onClosed(route);
  }

  private setReady(route: InstanceRoute, instance: RoutingInstance): void {
    if (this.forgetParked(route)) {
      route.setTimes(instance);
      route.gate.add(route);
    } else if (route.draining) {
      route.reopen();
      route.gate.keep(route);
    }
    route.isRoused = false;
  }

  private add(instance: RoutingInstance): void {
    // Also of a revision that has gone.
    if (instance.state === 'draining') {
      this.events.onDrained(instance);
      return;
    }
    const home = this.homeOf(instance.revision);
    if (!home) return;
    const route = new InstanceRoute(instance, home.gate, this.events.now);
    this.known.set(route.id, route);
    if (instance.state === 'ready') home.gate.add(route);
    else home.parked.push(route);
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
