import { mayReadOn } from '#policies/admission.ts';
import type { Holder, Party } from '../gate/parties.ts';
import type { Plane } from '../plane.ts';

/** For whom bytes are held outside of all queues. */
export interface HeldFor {
  readonly callerId: string;
  /** Others need the room: it lets go of all of it. */
  onCrowded(): void;
}

/**
 * What one request holds of the bytes that all requests of a data plane may hold together.
 *
 * Invariants:
 *  1. `plane.heldBytes` is the sum of all `count`s, and more than its limit only while others are told to give way.
 *  2. While `stray` is set, `count` is part of what that caller holds outside of all queues.
 */
export class HeldBytes implements Holder {
  count = 0;
  private readonly plane: Plane;
  private readonly holder: HeldFor | undefined;
  /** Who asks may turn out to be another one than its address said: what is held stays where it was counted first. */
  private stray: string | undefined;

  /** Without a holder, what is held outside of all queues gives way to nobody. */
  constructor(plane: Plane, holder?: HeldFor) {
    this.plane = plane;
    this.holder = holder;
  }

  get mayReadOn(): boolean {
    return mayReadOn(this.count, this.plane.heldBytes, this.plane.limits.heldBytes);
  }

  /** `queue`: where it waits, if it does. False: there is no room for so many more, and none were taken. */
  take(bytes: number, queue?: Party): boolean {
    const { plane, holder } = this;
    this.add(bytes);
    const missing = plane.heldBytes - plane.limits.heldBytes;
    if (missing > 0 && !this.makeRoom(missing, bytes, queue)) {
      this.add(-bytes);
      return false;
    }
    if (queue === undefined && holder && bytes > 0) {
      this.stray ??= holder.callerId;
      plane.parties.addStray(this.stray, this, bytes);
    }
    return true;
  }

  /** What is held outside of all queues gives way to nobody any more. */
  pin(): void {
    const { count, plane, stray } = this;
    this.stray = undefined;
    if (stray !== undefined) plane.parties.removeStray(stray, this, count);
  }

  letGo(): void {
    this.pin();
    this.add(-this.count);
  }

  onCrowded(): void {
    this.holder?.onCrowded();
  }

  private add(bytes: number): void {
    this.count += bytes;
    this.plane.heldBytes += bytes;
  }

  /** What has just come to a queue counts there already, and so twice: it gets a little less than others. */
  private makeRoom(missing: number, bytes: number, queue: Party | undefined): boolean {
    const { parties } = this.plane;
    if (queue) return parties.makeRoom(missing, queue.bytes + bytes);
    const callerId = this.stray ?? this.holder?.callerId;
    if (callerId === undefined) return false;
    return parties.makeRoom(missing, parties.strayBytes(callerId) + bytes);
  }
}
