import { pickClass } from '#policies/priority.ts';
import { type Flow, type Queued, Ring, Shares } from './shares.ts';

/**
 * Those who wait at one gate, in the order in which they are served. Whether somebody may wait, and when there
 * is room, is the gate's to say.
 *
 * Invariants (tests cite the numbers):
 *  1. Within a caller and a class: first come first served. Who comes back has its old place.
 *  2. Within a class, callers take turns, one request each; a caller that comes anew is last. The turn of a
 *     request that leaves is its caller's next one's.
 *  3. Between classes `pickClass` decides: nobody is overtaken by a request of a higher class that came more
 *     than a head start per class after the one whose turn it is in its class. So, unless somebody comes
 *     back, a request is granted after
 *     at most (its place in its caller's flow) × (callers of its class) grants of its class, and what goes
 *     between them was there already or came within the head start.
 *  4. Adding, taking and removing cost the same however many wait, but for the logarithm of the callers that hold
 *     bytes; a place for who comes back is looked for from the front, and who gives bytes back among one caller's.
 *  5. `bytes` is the sum of what is `counted` of those who wait.
 */

const NO_RINGS: readonly never[] = [];
const NOBODY = Number.POSITIVE_INFINITY;

export class Queue<W extends Queued<W>> {
  count = 0;
  bytes = 0;
  /** By class. Made with the first that waits: most gates belong to models that sleep. */
  private rings: readonly Ring<W>[] = NO_RINGS;
  private shares: Shares<W> | undefined;
  /** Numbers of arrivals and turns, each given once. */
  private tickets = 0;
  private readonly onWeighed: () => void;

  /** `onWeighed`: `bytes` have changed. */
  constructor(onWeighed: () => void) {
    this.onWeighed = onWeighed;
  }

  /** Who is next. */
  get first(): W | undefined {
    const [high, normal, low] = this.rings;
    const picked = pickClass(arrivalOf(high), arrivalOf(normal), arrivalOf(low));
    return this.rings[picked]?.first?.first;
  }

  /** How many callers wait. */
  get callers(): number {
    return this.shares?.size ?? 0;
  }

  /** Requests of the caller that has most of them. */
  get most(): number {
    return this.shares?.most ?? 0;
  }

  countOf(callerId: string): number {
    return this.shares?.find(callerId)?.count ?? 0;
  }

  /** Whose place is taken when there are too many: the newest in the lowest class of who has most. */
  get largest(): W | undefined {
    return this.shares?.largest?.lowest?.last;
  }

  /** Bytes of the caller that holds most of them. */
  get mostBytes(): number {
    return this.shares?.heaviest?.bytes ?? 0;
  }

  /** Of who holds most bytes the newest that holds any, of the lowest class. */
  get heavy(): W | undefined {
    return this.findHeaviest(1, 0)?.[0];
  }

  bytesOf(callerId: string): number {
    return this.shares?.find(callerId)?.bytes ?? 0;
  }

  /**
   * Who would have to go for so many bytes: of who holds most of them the newest that hold any, the lowest class first,
   * for as long as that caller holds more than `floor`. Undefined: that is not enough.
   */
  findHeaviest(bytes: number, floor: number): W[] | undefined {
    const found: W[] = [];
    let missing = bytes;
    let rest = this.mostBytes;
    for (const { last } of this.shares?.heaviest?.fromLowest ?? []) {
      for (let waiter = last; waiter && missing > 0 && rest > floor; waiter = waiter.previous) {
        if (waiter.counted > 0) found.push(waiter);
        missing -= waiter.counted;
        rest -= waiter.counted;
      }
    }
    return missing > 0 ? undefined : found;
  }

  /** It waits, and holds so much more. */
  grow(waiter: W, bytes: number): void {
    const { flow } = waiter;
    if (!flow || bytes === 0) return;
    waiter.counted += bytes;
    this.bytes += bytes;
    this.shares?.weigh(flow, bytes);
    this.onWeighed();
  }

  /** It is served without waiting: should it come back, it has come now. */
  pass(waiter: W): void {
    waiter.order = this.nextTicket();
    waiter.turn = waiter.order;
  }

  /** Comes for the first time. */
  add(waiter: W): void {
    waiter.order = this.nextTicket();
    waiter.turn = 0;
    const flow = this.join(waiter);
    flow.insert(waiter, undefined);
    this.grow(waiter, waiter.heldBytes);
    if (flow.first === waiter) this.giveTurn(flow);
  }

  /** Comes back, to its old place. */
  addAgain(waiter: W): void {
    const flow = this.join(waiter);
    const { first } = flow;
    let before = first;
    while (before && before.order < waiter.order) before = before.next;
    if (first && first === before) flow.ring.remove(flow);
    flow.insert(waiter, before);
    this.grow(waiter, waiter.heldBytes);
    if (flow.first === waiter) this.giveTurn(flow);
  }

  /** It is served: its caller's next request of this class has to wait for the others' turns. */
  take(waiter: W): void {
    const flow = this.leave(waiter);
    if (!flow) return;
    flow.ring.remove(flow);
    if (flow.first) this.giveTurn(flow);
  }

  /** It is not to be served any more. */
  remove(waiter: W): void {
    const wasFirst = waiter.flow?.first === waiter;
    const flow = this.leave(waiter);
    if (!flow || !wasFirst) return;
    if (flow.first) flow.first.turn = waiter.turn;
    else flow.ring.remove(flow);
  }

  /** All, in the order in which they would be served if nobody else came. */
  *inOrder(): Generator<W, void> {
    const heads = this.rings.map((ring) => ring.heads());
    const at = heads.map(() => 0);
    const arrival = (c: number): number => heads[c]?.[at[c]!]?.arrivedAt ?? NOBODY;
    for (;;) {
      const c = pickClass(arrival(0), arrival(1), arrival(2));
      const waiter = heads[c]?.[at[c]!];
      if (!waiter) return;
      at[c]! += 1;
      if (waiter.next) queueUp(heads[c]!, at[c]!, waiter.next);
      yield waiter;
    }
  }

  private giveTurn(flow: Flow<W>): void {
    const { first, ring } = flow;
    if (!first) return;
    if (first.turn > 0) {
      ring.putBack(flow, first.turn);
      return;
    }
    first.turn = this.nextTicket();
    // With a turn later than all others.
    ring.insert(flow, undefined);
  }

  private nextTicket(): number {
    this.tickets += 1;
    return this.tickets;
  }

  private leave(waiter: W): Flow<W> | undefined {
    const { flow } = waiter;
    if (!flow) return undefined;
    this.grow(waiter, -waiter.counted);
    flow.remove(waiter);
    this.shares?.lessen(flow);
    this.count -= 1;
    return flow;
  }

  private join(waiter: W): Flow<W> {
    this.count += 1;
    if (this.rings.length === 0) this.rings = [new Ring(0), new Ring(1), new Ring(2)];
    this.shares ??= new Shares();
    return this.shares.grow(waiter.callerId, this.rings[waiter.priority]!);
  }
}

function arrivalOf<W extends Queued<W>>(ring: Ring<W> | undefined): number {
  return ring?.first?.first?.arrivedAt ?? NOBODY;
}

/** By turn; who has none yet is last. */
function queueUp<W extends Queued<W>>(heads: W[], from: number, waiter: W): void {
  let at = waiter.turn === 0 ? heads.length : from;
  while (at < heads.length && heads[at]!.turn > 0 && heads[at]!.turn < waiter.turn) at += 1;
  heads.splice(at, 0, waiter);
}
