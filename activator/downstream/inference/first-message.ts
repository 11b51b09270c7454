import { HeldPieces } from './held-pieces.ts';
import type { HeldFor } from '../../exchange/held-bytes.ts';
import { TOO_MANY_BODIES } from '../../exchange/refusals.ts';
import { PREFIX_BYTES } from '../../http2/grpc.ts';
import {
  BODY_TIMEOUT_MS,
  MAX_ROUTED_BODY,
  type Plane,
  ROUTED_BODY_TIMEOUT_MS,
} from '../../plane.ts';
import { type Refusal, refusal } from '../../refusal.ts';

/** A message is held whole to be turned into a request; our servers take no more. */
const MAX_MESSAGE = 64 * 1024 * 1024;
/** It may take as long as a body that is read to find its model, and more by this rate once it is larger than those may be. */
const LEAST_BYTES_PER_MS = MAX_ROUTED_BODY / ROUTED_BODY_TIMEOUT_MS;

const COMPRESSED = refusal('not_implemented', 'Compressed messages are not taken here.');
const TOO_LARGE = refusal('too_large', `The message is larger than ${MAX_MESSAGE} bytes.`);

interface WholeMessage {
  readonly message: Buffer;
  /** More has come than this message. */
  readonly isFollowed: boolean;
}

/** The first message of a call, held until all of it has come. */
export class FirstMessage {
  private readonly plane: Plane;
  private readonly held: HeldPieces;
  private readonly beganAt: number;
  private readUntil: number;

  constructor(plane: Plane, holder?: HeldFor) {
    this.plane = plane;
    this.held = new HeldPieces(plane, holder);
    this.beganAt = plane.now();
    this.readUntil = this.beganAt + BODY_TIMEOUT_MS;
  }

  /** `piece`: ours, as for `HeldPieces`. */
  take(piece: Buffer): Refusal | undefined {
    this.readUntil = this.plane.now() + BODY_TIMEOUT_MS;
    return this.held.take(piece) ? undefined : TOO_MANY_BODIES;
  }

  /** Undefined: more of it is to come. */
  read(): WholeMessage | Refusal | undefined {
    const { count } = this.held;
    if (count < PREFIX_BYTES) return undefined;
    const start = this.held.start(PREFIX_BYTES);
    const end = PREFIX_BYTES + start.readUInt32BE(1);
    if (start[0] !== 0) return COMPRESSED;
    if (end > Math.min(MAX_MESSAGE, this.plane.limits.body)) return TOO_LARGE;
    if (count < end) return undefined;
    return { message: this.held.join().subarray(PREFIX_BYTES, end), isFollowed: count > end };
  }

  /** No byte of it has come for too long, or all that came came too slowly. */
  isStalled(now: number): boolean {
    const mayTakeMs = Math.max(ROUTED_BODY_TIMEOUT_MS, this.held.count / LEAST_BYTES_PER_MS);
    return now >= Math.min(this.readUntil, this.beganAt + mayTakeMs);
  }

  /** All that was taken, in order; none of it is held any more. */
  letGo(): Buffer[] {
    return this.held.letGo();
  }
}
