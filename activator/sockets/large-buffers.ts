/**
 * Buffers for large bodies. One is taken by a reader, which reads into it again and again, and lent to every write
 * that has not taken all of its bytes yet.
 *
 * Invariants:
 *  1. A buffer has at most one reader, and is read into only while nothing of it is lent.
 *  2. It is free again when it was let go and all writes are done, not before and only once.
 *  3. At most `MAX_FREE` are kept; others are the garbage collector's.
 */

const SIZE = 128 * 1024;
/** Free ones that are kept: more than the streams that are read at the same moment on a busy machine. */
const MAX_FREE = 32;

interface Use {
  /** A reader reads into it. */
  taken: boolean;
  /** Writes that have not taken all of its bytes. */
  loans: number;
}

const uses = new WeakMap<Buffer, Use>();
const free: Buffer[] = [];

export function takeLarge(): Buffer {
  const buffer = free.pop() ?? Buffer.allocUnsafeSlow(SIZE);
  uses.set(buffer, { taken: true, loans: 0 });
  return buffer;
}

export function isLarge(buffer: Buffer): boolean {
  return uses.has(buffer);
}

/** It is one of these, and may be read into. */
export function isIdle(buffer: Buffer): boolean {
  return uses.get(buffer)?.loans === 0;
}

/** The reader has done with it. */
export function letGo(buffer: Buffer): void {
  const use = uses.get(buffer);
  if (!use) return;
  use.taken = false;
  giveBack(buffer, use);
}

/** Lends it to a write. Undefined: it is none of these. */
export function lend(buffer: Buffer): (() => void) | undefined {
  const use = uses.get(buffer);
  if (!use) return undefined;
  use.loans += 1;
  return () => {
    use.loans -= 1;
    giveBack(buffer, use);
  };
}

function giveBack(buffer: Buffer, use: Use): void {
  if (!use.taken && use.loans === 0 && free.length < MAX_FREE) free.push(buffer);
}
