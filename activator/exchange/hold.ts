import { HOLD } from '#policies/admission.ts';
import type { Gate, Refused, Waiter } from '../gate/gate.ts';
import type { Flow } from '../gate/shares.ts';
import type { HeldBody } from './held-body.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Identity } from './identity.ts';
import { NEVER } from '../never.ts';
import type { Plane } from '../plane.ts';
import type { RevisionRoute } from '../routes.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import { nameOf } from '../status/inquiry.ts';
import { expectedByEnvoy } from './wait-fields.ts';
import { isForPerson, PAGE_AFTER_MS } from './waiting-page.ts';

/** What the gate says of a request, at once or when it has waited. */
export interface HoldEvents {
  onGranted(instance: InstanceRoute): void;
  onRefused(reason: Refused): void;
}

/**
 * A request at the gate of its revision, and what holds while it waits there: until when it may, under which name others
 * may ask for it, and when a browser gets a page instead. One per exchange.
 *
 * Invariant: `name` is known to the inquiry exactly while it is set; `end` takes it back once.
 */
export class Hold implements Waiter<InstanceRoute> {
  previous: Waiter<InstanceRoute> | undefined;
  next: Waiter<InstanceRoute> | undefined;
  waitsIn: Gate<InstanceRoute> | undefined;
  flow: Flow<Waiter<InstanceRoute>> | undefined;
  order = 0;
  turn = 0;
  counted = 0;
  /** ms, as all times here. */
  arrivedAt = 0;
  /** It was not granted a slot at once, or came back from one. */
  hasWaited = false;
  private readonly plane: Plane;
  private readonly identity: Identity;
  private readonly body: HeldBody;
  private readonly events: HoldEvents;
  private until = NEVER;
  private pageAt = NEVER;
  private name = '';

  constructor(plane: Plane, identity: Identity, body: HeldBody, events: HoldEvents) {
    this.plane = plane;
    this.identity = identity;
    this.body = body;
    this.events = events;
  }

  get callerId(): string {
    return this.identity.caller.id;
  }

  get priority(): number {
    return this.identity.priority;
  }

  get heldBytes(): number {
    return this.body.bytes;
  }

  /** Asks for a slot, and waits for at most `holdMs` if there is none. Gives what the gate's `enter` says. */
  enter(route: RevisionRoute, head: RequestHead, arrivedAt: number, holdMs: number): number {
    this.arrivedAt = arrivedAt;
    this.until = arrivedAt + holdMs;
    this.pageAt = NEVER;
    this.hasWaited = false;
    const decision = route.gate.enter(this, holdMs);
    if (decision === HOLD) this.begin(route, head);
    return decision;
  }

  private begin(route: RevisionRoute, head: RequestHead): void {
    this.hasWaited = true;
    this.until = Math.min(this.until, this.arrivedAt + expectedByEnvoy(head));
    if (isForPerson(head, this.plane)) this.pageAt = this.arrivedAt + PAGE_AFTER_MS;
    if (head.rouseRequestId === '') return;
    this.name = nameOf(route, { callerId: this.callerId, requestId: head.rouseRequestId });
    this.plane.inquiry.name(this.name, route, this);
  }

  /** Waits again, at its old place, after its instance could not be reached. */
  rejoin({ gate }: RevisionRoute): void {
    this.hasWaited = true;
    gate.rejoin(this);
  }

  /** It holds so many bytes more. HOLD: it waits on, or does not wait. Anything else: that is too much. */
  grow(bytes: number): number {
    return this.waitsIn?.grow(this, bytes) ?? HOLD;
  }

  onGranted(instance: InstanceRoute): void {
    this.end('granted');
    this.events.onGranted(instance);
  }

  onRefused(reason: Refused): void {
    this.events.onRefused(reason);
  }

  isOver(now: number): boolean {
    return now >= this.until;
  }

  /**
   * True once: when it is due, or the wait `isOver` before that. Not for a model that is awake and merely busy: its
   * answer is worth waiting for.
   */
  takePage(route: RevisionRoute, now: number, isOver: boolean): boolean {
    if (now < this.pageAt && !(isOver && this.pageAt !== NEVER)) return false;
    this.pageAt = NEVER;
    return !route.gate.isWarm;
  }

  /** It is not to be served any more. */
  cancel(): void {
    this.waitsIn?.cancel(this);
  }

  end(outcome: 'granted' | 'refused'): void {
    if (this.name === '') return;
    this.plane.inquiry.unname(this.name, this, outcome, this.plane.now());
    this.name = '';
  }
}
