import { HeldBytes, type HeldFor } from './held-bytes.ts';
import { keep } from '../sockets/socket-reader.ts';
import type { Party } from '../gate/parties.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { MAX_HELD_BODY, MAX_ROUTED_BODY, type Plane } from '../plane.ts';

/** Pieces below this are copied together. */
const SMALL = 4096;
const MIN_TAIL = 1024;
/** A buffer of joined pieces grows to about this, then the next one begins. */
const MAX_TAIL = 64 * 1024;

/**
 * What has been read of a request's body and not been sent on for good. While the request waits, or is read
 * in order to find its model, its bytes count against one budget of the data plane.
 *
 * Invariants:
 *  1. After a `startCounting` that had room exactly `bytes` are counted in the budget until `stopCounting`, else none.
 *  2. Until it is dropped, the body is what was borrowed or, in order, the `pieces`; never both.
 *  3. What was borrowed is copied or dropped before its buffer is read into again.
 */
export class HeldBody {
  pieces: Buffer[] = [];
  bytes = 0;
  /** Field lines that ended a chunked body. */
  trailers = '';
  private readonly plane: Plane;
  private readonly holder: HeldFor;
  private tail: Buffer | undefined;
  /** Made with the first wait. */
  private held: HeldBytes | undefined;
  private counting = false;
  /** Where it waits; undefined: nowhere. While it is counted then, it is read in order to find its model. */
  private queue: Party | undefined;
  private lent: Buffer | undefined;
  private readonly lentRange: [number, number] = [0, 0];

  constructor(plane: Plane, holder: HeldFor) {
    this.plane = plane;
    this.holder = holder;
  }

  private get routing(): boolean {
    return this.counting && this.queue === undefined;
  }

  /** As much as is read before the socket is paused, unless there is room to read on. */
  get isFull(): boolean {
    return this.bytes >= MAX_HELD_BODY && !this.routing;
  }

  /** It waits, and the data plane has room for more of it than has to be read. */
  get mayReadOn(): boolean {
    return this.counting && this.held?.mayReadOn === true;
  }

  get isTooLargeToRoute(): boolean {
    return this.routing && this.bytes > MAX_ROUTED_BODY;
  }

  /** False: the budget of the data plane has no room for so much more of this body, and it is not kept. */
  add(piece: Buffer): boolean {
    if (this.counting && this.held?.take(piece.length, this.queue) === false) return false;
    this.keepBorrowed();
    const last = this.pieces.at(-1);
    const joins = last !== undefined && last.length < SMALL && piece.length < SMALL;
    if (joins || this.tail) this.append(piece);
    else this.pieces.push(piece);
    this.bytes += piece.length;
    return true;
  }

  /** The request waits from now on, in this queue, or is read to find one. False: the budget has no room for what it holds. */
  startCounting(queue: Party | undefined): boolean {
    this.counting = true;
    this.queue = queue;
    this.held ??= new HeldBytes(this.plane, this.holder);
    return this.held.take(this.bytes - this.held.count, queue);
  }

  /** What is counted outside of a queue gives way to nobody any more. */
  pin(): void {
    this.held?.pin();
  }

  stopCounting(): void {
    if (this.counting) this.held?.letGo();
    this.counting = false;
    this.queue = undefined;
  }

  /** All of it, in one piece. */
  join(): Buffer {
    this.keepBorrowed();
    return Buffer.concat(this.pieces);
  }

  /** The `model` field of a JSON body. Throws SyntaxError when it is no JSON. */
  findModel(): unknown {
    const body: unknown = JSON.parse(this.join().toString('utf8'));
    return typeof body === 'object' && body !== null && 'model' in body ? body.model : undefined;
  }

  /**
   * What comes together with the head is only borrowed: most of it is on its way to the instance before the buffer
   * is read into again. `keepBorrowed` keeps what is not.
   */
  borrow(buffer: Buffer, from: number, to: number): void {
    this.lent = buffer;
    this.lentRange[0] = from;
    this.lentRange[1] = to;
    this.bytes = to - from;
  }

  /** The buffer that was borrowed from is about to be read into again. */
  keepBorrowed(): void {
    const { lent, lentRange } = this;
    if (!lent) return;
    this.lent = undefined;
    this.pieces.push(keep(lent, lentRange[0], lentRange[1]));
  }

  /** Writes all of it. */
  writeTo(upstream: Pick<Upstream, 'writeBody'>): void {
    if (this.lent) upstream.writeBody(this.lent, this.lentRange);
    for (const piece of this.pieces) upstream.writeBody(piece, [0, piece.length]);
  }

  /** What was sent on for good is not kept. */
  drop(): void {
    this.lent = undefined;
    if (this.pieces.length > 0) this.pieces = [];
    this.tail = undefined;
  }

  clear(): void {
    this.stopCounting();
    this.drop();
    this.bytes = 0;
    this.trailers = '';
  }

  /** Small pieces are copied together: an object for each would cost many times its bytes. */
  private append(piece: Buffer): void {
    const at = this.pieces.length - 1;
    let { tail } = this;
    const used = this.pieces[at]?.length ?? 0;
    if (!tail || used + piece.length > tail.length) {
      if (tail && tail.length >= MAX_TAIL) {
        this.tail = undefined;
        this.pieces.push(piece);
        return;
      }
      tail = Buffer.allocUnsafe(Math.max(MIN_TAIL, (used + piece.length) * 2));
      this.pieces[at]?.copy(tail);
      this.tail = tail;
    }
    piece.copy(tail, used);
    this.pieces[at] = tail.subarray(0, used + piece.length);
  }
}
