import { PATIENCE_MS } from './turns.ts';

/** Somebody who waits for memory. */
export interface Claim {
  readonly revision: string;
  /** What one more instance takes, and how many more are asked for. */
  readonly bytesEach: number;
  readonly more: number;
  /** Since when it has waited without any instance; undefined: it has some. */
  readonly since: number | undefined;
}

/** What those who are before somebody leave to him. */
export interface Left {
  /** Of what is free, and of what is on its way out. */
  readonly room: number;
  readonly coming: number;
  /** It has waited for too long and still misses something: all is kept for it. */
  readonly behind?: Claim;
}

export function isOverdue({ since }: Claim, now: number): boolean {
  return since !== undefined && now - since >= PATIENCE_MS;
}

/** How many of so many fit. */
export function countFitting(bytes: number, bytesEach: number, more: number): number {
  if (bytesEach === 0) return more;
  return Math.min(Math.max(Math.floor(bytes / bytesEach), 0), more);
}

/**
 * In the order of waiting each takes what it can use. Who finds too little leaves it to the next, but not when it is
 * overdue: then nobody goes first any more. `most`: what could be free at all; whoever needs more keeps nothing.
 */
export function passLine(
  before: readonly Claim[],
  free: number,
  leaving: number,
  most: number,
  now: number,
): Left {
  let room = Math.max(0, free);
  // What is held beyond the budget is owed first of all.
  let coming = leaving + Math.min(0, free);
  for (const claim of before) {
    const { bytesEach, more } = claim;
    const count = countFitting(room + coming, bytesEach, more);
    const taken = Math.min(room, count * bytesEach);
    room -= taken;
    coming -= count * bytesEach - taken;
    const isFirst = count === 0 && isOverdue(claim, now) && bytesEach <= most;
    if (isFirst) return { room: 0, coming: 0, behind: claim };
  }
  return { room, coming };
}
