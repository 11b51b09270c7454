import type { Trace } from './trace.ts';

const TICK_MS = 60_000;

/** Who is told what happens, in the order of time. */
export interface Walker {
  /** Each minute, before what happens in that moment. */
  tick(now: number): void;
  /** `idleSince` undefined: its first request. Busy: others of it are running, or ended in this moment. */
  arrive(model: number, idleSince: number | undefined, now: number, isBusy: boolean): void;
  /** Its last request has ended. */
  idle(model: number, now: number): void;
  /** The trace is over, and it was idle since. */
  end(model: number, idleSince: number, now: number): void;
}

/** The virtual clock: it jumps from one arrival or end of a request to the next. Throws if it missed one. */
export function walk(trace: Trace, walker: Walker): void {
  const { at, end, model, models, from, to } = trace;
  const ends = orderOf(end);
  const busyUntil = new Float64Array(models.length).fill(Number.NEGATIVE_INFINITY);
  const isIdle = new Uint8Array(models.length);
  let nextTick = from + TICK_MS;
  let arrived = 0;
  let ended = 0;

  function tickUntil(now: number): void {
    for (; nextTick <= now; nextTick += TICK_MS) walker.tick(nextTick);
  }
  function arrive(): void {
    const index = model[arrived]!;
    const now = at[arrived]!;
    tickUntil(now);
    const since = busyUntil[index]!;
    const isFirst = since === Number.NEGATIVE_INFINITY;
    const isBusy = !isFirst && (isIdle[index] === 0 || since === now);
    walker.arrive(index, isFirst ? undefined : since, now, isBusy);
    isIdle[index] = 0;
    busyUntil[index] = Math.max(since, end[arrived]!);
    arrived++;
  }
  function finish(): void {
    const request = ends[ended++]!;
    const index = model[request]!;
    const now = end[request]!;
    if (busyUntil[index] !== now || isIdle[index] === 1) return;
    tickUntil(now);
    isIdle[index] = 1;
    walker.idle(index, now);
  }

  /** The next end belongs to a request that has come, and is not after the next arrival. */
  function isOver(): boolean {
    const request = ends[ended]!;
    return request < arrived && end[request]! <= at[arrived]!;
  }

  while (arrived < at.length) {
    if (ended < ends.length && isOver()) finish();
    else arrive();
  }
  while (ended < ends.length && end[ends[ended]!]! <= to) finish();
  tickUntil(to);
  if (arrived !== at.length) throw new Error(`${arrived} of ${at.length} arrivals were processed`);
  for (const [index, since] of busyUntil.entries()) {
    if (isIdle[index] === 1) walker.end(index, since, to);
  }
}

/** Indices by the end of the request. */
function orderOf(end: Float64Array): Uint32Array {
  const order = Uint32Array.from(end, (_, index) => index);
  const isSorted = end.every((value, index) => index === 0 || value >= end[index - 1]!);
  return isSorted ? order : order.sort((a, b) => end[a]! - end[b]! || a - b);
}
