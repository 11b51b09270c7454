import { Heaviest, type Weighed } from './heaviest.ts';
import { type Linked, LinkedList } from './linked-list.ts';

/** What waits. The fields that are not readonly belong to the queue. */
export interface Queued<W extends Queued<W>> extends Linked<W> {
  /** Where it waits; undefined: nowhere. */
  flow: Flow<W> | undefined;
  /** Its place among all that came to this queue. */
  order: number;
  /** Its place among the turns of its class; 0: another one of its caller goes first. */
  turn: number;
  /** Bytes that it counts for while it waits. */
  counted: number;
  /** Whom it belongs to; read when it is added. */
  readonly callerId: string;
  /** `HIGH`, `NORMAL` or `LOW`; read when it is added. */
  readonly priority: number;
  /** ms */
  readonly arrivedAt: number;
  /** Bytes that it holds; read when it is added. */
  readonly heldBytes: number;
}

/** What one caller has waiting in one class: first come first served. */
export class Flow<W extends Queued<W>> extends LinkedList<W> implements Linked<Flow<W>> {
  readonly share: Share<W>;
  readonly ring: Ring<W>;
  previous: Flow<W> | undefined;
  next: Flow<W> | undefined;
  /** The same caller's in another class. */
  sibling: Flow<W> | undefined;

  constructor(share: Share<W>, ring: Ring<W>) {
    super();
    this.share = share;
    this.ring = ring;
  }

  override insert(waiter: W, next: W | undefined): void {
    super.insert(waiter, next);
    waiter.flow = this;
  }

  override remove(waiter: W): void {
    super.remove(waiter);
    waiter.flow = undefined;
  }
}

/** The flows of one class, in the order of their first one's turns. Those without a waiter are not in it. */
export class Ring<W extends Queued<W>> extends LinkedList<Flow<W>> {
  readonly class: number;

  constructor(ofClass: number) {
    super();
    this.class = ofClass;
  }

  /** With a turn that it had before. */
  putBack(flow: Flow<W>, turn: number): void {
    let before = this.first;
    while (before?.first && before.first.turn < turn) before = before.next;
    this.insert(flow, before);
  }

  /** The first of each flow, in the order of turns. */
  heads(): W[] {
    const heads: W[] = [];
    for (let flow = this.first; flow; flow = flow.next) if (flow.first) heads.push(flow.first);
    return heads;
  }
}

/** What one caller has waiting, in all classes. */
class Share<W extends Queued<W>> implements Weighed {
  readonly callerId: string;
  count = 0;
  bytes = 0;
  place = -1;
  /** Its flows, each linked to its sibling. */
  flows: Flow<W> | undefined;
  /** Among those with the same count. */
  previous: Share<W> | undefined;
  next: Share<W> | undefined;

  constructor(callerId: string) {
    this.callerId = callerId;
  }

  get lowest(): Flow<W> | undefined {
    let found: Flow<W> | undefined;
    for (let flow = this.flows; flow; flow = flow.sibling) {
      if (flow.first && (!found || flow.ring.class > found.ring.class)) found = flow;
    }
    return found;
  }

  /** Its flows, of the lowest class first. */
  get fromLowest(): Flow<W>[] {
    const flows: Flow<W>[] = [];
    for (let flow = this.flows; flow; flow = flow.sibling) flows.push(flow);
    return flows.toSorted((a, b) => b.ring.class - a.ring.class);
  }

  /** Its flow in that class; made if there is none. */
  flowIn(ring: Ring<W>): Flow<W> {
    for (let flow = this.flows; flow; flow = flow.sibling) if (flow.ring === ring) return flow;
    const flow = new Flow(this, ring);
    flow.sibling = this.flows;
    this.flows = flow;
    return flow;
  }
}

/**
 * Who has how much, with the largest at hand: shares of equal count are linked to each other, and since a count
 * changes by one at a time, so does the largest. Bytes change by any number: who holds most of them is on top of a
 * heap. Callers without a request are not kept.
 */
export class Shares<W extends Queued<W>> {
  /** The largest count. */
  most = 0;
  private readonly byCaller = new Map<string, Share<W>>();
  private readonly byBytes = new Heaviest<Share<W>>();
  private readonly byCount: (Share<W> | undefined)[] = [undefined];

  get size(): number {
    return this.byCaller.size;
  }

  /** One of those that have most. */
  get largest(): Share<W> | undefined {
    return this.byCount[this.most];
  }

  /** One of those that hold most bytes; undefined: nobody holds any. */
  get heaviest(): Share<W> | undefined {
    return this.byBytes.first;
  }

  find(callerId: string): Share<W> | undefined {
    return this.byCaller.get(callerId);
  }

  /** One request more of that caller; gives the flow for it. */
  grow(callerId: string, ring: Ring<W>): Flow<W> {
    let share = this.byCaller.get(callerId);
    if (share) this.unlink(share);
    else {
      share = new Share<W>(callerId);
      this.byCaller.set(callerId, share);
    }
    share.count += 1;
    if (share.count > this.most) this.most = share.count;
    this.link(share);
    return share.flowIn(ring);
  }

  /** So many bytes more of that flow's caller; negative: less. */
  weigh({ share }: Flow<W>, bytes: number): void {
    if (bytes === 0) return;
    share.bytes += bytes;
    this.byBytes.change(share);
  }

  /** One request less in that flow. */
  lessen({ share }: Flow<W>): void {
    this.unlink(share);
    share.count -= 1;
    if (share.count > 0) this.link(share);
    else this.byCaller.delete(share.callerId);
    if (!this.byCount[this.most] && this.most > 0) this.most -= 1;
  }

  private link(share: Share<W>): void {
    const next = this.byCount[share.count];
    this.byCount[share.count] = share;
    share.previous = undefined;
    share.next = next;
    if (next) next.previous = share;
  }

  private unlink(share: Share<W>): void {
    if (share.previous) share.previous.next = share.next;
    else this.byCount[share.count] = share.next;
    if (share.next) share.next.previous = share.previous;
  }
}
