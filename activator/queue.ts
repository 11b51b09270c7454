/**
 * Those who wait at one gate. It decides who is next; whether somebody may wait, and when there is room, is the
 * gate's.
 */

/** What waits. The fields that are not readonly belong to the queue. */
export interface Queued<W> {
  previous: W | undefined;
  next: W | undefined;
  /** Its place among all that came to this queue. */
  order: number;
  /** Bytes that it holds; while it waits it may grow only by what the gate allowed. */
  readonly heldBytes: number;
}

export class Queue<W extends Queued<W>> {
  count = 0;
  bytes = 0;
  private head: W | undefined;
  private tail: W | undefined;
  private arrivals = 0;

  /** Who is next. */
  get first(): W | undefined {
    return this.head;
  }

  /** Comes for the first time. */
  add(waiter: W): void {
    waiter.order = this.arrivals;
    this.arrivals += 1;
    this.insert(waiter, undefined);
  }

  /** Comes back, to its old place. */
  addAgain(waiter: W): void {
    let before = this.head;
    while (before && before.order < waiter.order) before = before.next;
    this.insert(waiter, before);
  }

  /** Before `next`, or at the end. */
  private insert(waiter: W, next: W | undefined): void {
    const previous = next ? next.previous : this.tail;
    waiter.previous = previous;
    waiter.next = next;
    if (previous) previous.next = waiter;
    else this.head = waiter;
    if (next) next.previous = waiter;
    else this.tail = waiter;
    this.count += 1;
    this.bytes += waiter.heldBytes;
  }

  remove(waiter: W): void {
    if (waiter.previous) waiter.previous.next = waiter.next;
    else this.head = waiter.next;
    if (waiter.next) waiter.next.previous = waiter.previous;
    else this.tail = waiter.previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.count -= 1;
    this.bytes -= waiter.heldBytes;
  }
}
