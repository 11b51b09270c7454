import type { Waiter } from '../gate/gate.ts';
import type { RequestHead } from '../http/request-head.ts';
import { NEVER } from '../never.ts';
import type { Plane } from '../plane.ts';
import type { RevisionRoute } from '../routes.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import { isForPerson, PAGE_AFTER_MS } from './waiting-page.ts';
import { nameOf } from '../status/inquiry.ts';

/**
 * What holds for a request while it waits: until when it may, under which name others may ask for it, and when a
 * browser gets a page instead. One per exchange.
 *
 * Invariant: `name` is known to the inquiry exactly while it is set; `end` takes it back once.
 */
export class Hold {
  private readonly waiter: Waiter<InstanceRoute>;
  private readonly plane: Plane;
  /** ms, as all times here. */
  private until = NEVER;
  private pageAt = NEVER;
  private name = '';

  constructor(waiter: Waiter<InstanceRoute>, plane: Plane) {
    this.waiter = waiter;
    this.plane = plane;
  }

  /** The request asks for a slot, and waits no longer than this if there is none. */
  prepare(until: number): void {
    this.until = until;
    this.pageAt = NEVER;
  }

  /** It waits. */
  begin(head: RequestHead, route: RevisionRoute): void {
    const { waiter, plane } = this;
    if (isForPerson(head, plane)) this.pageAt = waiter.arrivedAt + PAGE_AFTER_MS;
    if (head.rouseRequestId === '') return;
    this.name = nameOf(route, { callerId: waiter.callerId, requestId: head.rouseRequestId });
    plane.inquiry.name(this.name, route, waiter);
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

  end(outcome: 'granted' | 'refused'): void {
    if (this.name === '') return;
    this.plane.inquiry.unname(this.name, this.waiter, outcome, this.plane.now());
    this.name = '';
  }
}
