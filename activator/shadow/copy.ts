/** What all copies of a data plane may hold together. */
export class Budget {
  used = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** False: there is no room for so many bytes more. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
}

const NONE = Buffer.alloc(0);
const FIRST_SIZE = 1024;

/**
 * Bytes that went by, in one buffer, however small the pieces were. Of what is more than it may be nothing is kept.
 *
 * Invariant: so many bytes as the buffer has are taken from the budget.
 */
export class Copy {
  /** Why it is not all that went by. */
  lack: 'too_large' | 'no_room' | undefined;
  private length = 0;
  private buffer = NONE;
  private readonly budget: Budget;
  private readonly limit: number;

  constructor(budget: Budget, limit: number) {
    this.budget = budget;
    this.limit = limit;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  add(buffer: Buffer, ranges: readonly number[]): void {
    for (let i = 0; i < ranges.length; i += 2) this.addOne(buffer, ranges[i]!, ranges[i + 1]!);
  }

  private addOne(buffer: Buffer, from: number, to: number): void {
    if (this.lack) return;
    const needed = this.length + to - from;
    if (needed > this.limit) this.giveUp('too_large');
    else if (needed > this.buffer.length && !this.grow(needed)) this.giveUp('no_room');
    else this.length += buffer.copy(this.buffer, this.length, from, to);
  }

  private grow(needed: number): boolean {
    const size = Math.min(this.limit, Math.max(FIRST_SIZE, needed, this.buffer.length * 2));
    if (!this.budget.take(size - this.buffer.length)) return false;
    const larger = Buffer.allocUnsafeSlow(size);
    this.bytes.copy(larger);
    this.buffer = larger;
    return true;
  }

  private giveUp(lack: 'too_large' | 'no_room'): void {
    this.lack = lack;
    this.drop();
  }

  drop(): void {
    this.budget.used -= this.buffer.length;
    this.buffer = NONE;
    this.length = 0;
  }
}
