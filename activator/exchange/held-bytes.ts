import type { Plane } from '../plane.ts';

/**
 * What one request holds of the bytes that all requests of a data plane may hold together.
 *
 * Invariant: `plane.heldBytes` is the sum of all `count`s, and taking never makes it more than its limit.
 */
export class HeldBytes {
  count = 0;
  private readonly plane: Plane;

  constructor(plane: Plane) {
    this.plane = plane;
  }

  hasRoomFor(bytes: number): boolean {
    return this.plane.heldBytes + bytes <= this.plane.limits.heldBytes;
  }

  /** False: there is no room for so many more, and none were taken. */
  take(bytes: number): boolean {
    if (!this.hasRoomFor(bytes)) return false;
    this.count += bytes;
    this.plane.heldBytes += bytes;
    return true;
  }

  letGo(): void {
    this.plane.heldBytes -= this.count;
    this.count = 0;
  }
}
