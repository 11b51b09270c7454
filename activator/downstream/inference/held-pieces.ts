import type { Plane } from '../../plane.ts';
import { HeldBytes, type HeldFor } from '../../exchange/held-bytes.ts';

/**
 * Bytes that are held until all of a message is there.
 *
 * Invariants:
 *  1. What `pieces` hold is counted in `held`, until it is let go.
 *  2. A piece is ours: no view of a buffer that is read into again (`pieceOf` makes one).
 */
export class HeldPieces {
  private pieces: Buffer[] = [];
  private readonly held: HeldBytes;

  /** `holder`: as for `HeldBytes`. */
  constructor(plane: Plane, holder?: HeldFor) {
    this.held = new HeldBytes(plane, holder);
  }

  get count(): number {
    return this.held.count;
  }

  /** False: the data plane has no room for it, and it is not held. */
  take(piece: Buffer): boolean {
    if (!this.held.take(piece.length)) return false;
    this.pieces.push(piece);
    return true;
  }

  /** The beginning, with `bytes` of it at least; as many are there. */
  start(bytes: number): Buffer {
    const first = this.pieces[0];
    return first && first.length >= bytes ? first : this.join();
  }

  /** All of it, which stays held. */
  join(): Buffer {
    const joined = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces);
    this.pieces = [joined];
    return joined;
  }

  /** The pieces in order; none of them is counted any more. */
  letGo(): Buffer[] {
    const { pieces } = this;
    this.held.letGo();
    this.pieces = [];
    return pieces;
  }
}
