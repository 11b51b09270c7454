import { MAX_HELD_BODY, MAX_ROUTED_BODY, type Plane } from './plane.ts';

/**
 * What has been read of a request's body and not been sent on for good. Bodies that are read in order to find
 * their model (`routing`) share one budget of the data plane; `clear` gives back what was taken of it.
 */
export class HeldBody {
  readonly pieces: Buffer[] = [];
  bytes = 0;
  /** What closes a chunked body upstream; '' while it has not come to its end. */
  ending = '';
  private readonly plane: Plane;
  private routedBytes = 0;
  private routing = false;

  constructor(plane: Plane) {
    this.plane = plane;
  }

  /** As much as is read before the socket is paused. */
  get isFull(): boolean {
    return this.bytes >= MAX_HELD_BODY && !this.routing;
  }

  get isTooLargeToRoute(): boolean {
    return this.routedBytes > MAX_ROUTED_BODY;
  }

  add(piece: Buffer): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
    if (this.routing) this.count(piece.length);
  }

  startRouting(): void {
    this.routing = true;
    this.count(this.bytes);
  }

  endRouting(): void {
    this.plane.routedBytes -= this.routedBytes;
    this.routedBytes = 0;
    this.routing = false;
  }

  /** The `model` field of a JSON body. Throws SyntaxError when it is no JSON. */
  findModel(): unknown {
    const body: unknown = JSON.parse(Buffer.concat(this.pieces).toString('utf8'));
    return typeof body === 'object' && body !== null && 'model' in body ? body.model : undefined;
  }

  clear(): void {
    this.endRouting();
    this.pieces.length = 0;
    this.bytes = 0;
    this.ending = '';
  }

  private count(bytes: number): void {
    this.routedBytes += bytes;
    this.plane.routedBytes += bytes;
  }
}
