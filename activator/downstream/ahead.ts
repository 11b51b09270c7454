import { HeldBytes, type HeldFor } from '../exchange/held-bytes.ts';
import type { Plane } from '../plane.ts';
import { keep } from '../sockets/socket-reader.ts';

/** Bytes of requests that are sent ahead of their turn; with more of them the socket is paused. */
const MAX_AHEAD = 64 * 1024;

/**
 * What came on a caller's connection ahead of its turn: requests behind the present one, or a head that is not whole.
 *
 * Invariants:
 *  1. What is kept is all that came since the last `take`, in order; after `drop` nothing is.
 *  2. The budget of the data plane counts exactly what is kept.
 */
export class Ahead {
  private bytes: Buffer | undefined;
  private readonly held: HeldBytes;
  private dropped = false;

  constructor(plane: Plane, holder: HeldFor) {
    this.held = new HeldBytes(plane, holder);
  }

  get isEmpty(): boolean {
    return this.bytes === undefined;
  }

  /** Nothing more is to be read before its turn has come. */
  get isLong(): boolean {
    return this.held.count > MAX_AHEAD;
  }

  /** Keeps bytes of a buffer that was just read. False: the budget has no room for them. */
  add(buffer: Buffer, from: number, to: number): boolean {
    if (this.dropped) return true;
    if (!this.held.take(to - from)) return false;
    const bytes = keep(buffer, from, to);
    this.bytes = this.bytes ? Buffer.concat([this.bytes, bytes]) : bytes;
    return true;
  }

  /** All of it; none is kept any more. */
  take(): Buffer | undefined {
    const { bytes } = this;
    this.bytes = undefined;
    this.held.letGo();
    return bytes;
  }

  /** Forgets it, and whatever else comes. */
  drop(): void {
    this.take();
    this.dropped = true;
  }
}
