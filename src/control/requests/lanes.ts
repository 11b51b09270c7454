import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Lanes, Room } from '#store/requests/requests.ts';

/** What was put off is due to within this. */
const LOOK_MS = 500;
/** A lane is filled in so many steps, not at each place that becomes free: each step is a commit. */
const BATCHES = 4;
/** What a lane may have for each place that is free. */
const SHARE = 2;

export interface LaneLimits {
  /** Running at once. */
  readonly perLane: number;
  readonly inAll: number;
  /** Of what runs in all of them, until it has ended. */
  readonly bytes: number;
}

/** What runs in a lane. */
interface Held {
  readonly count: number;
  readonly bytes: number;
}

const NOTHING: Held = { count: 0, bytes: 0 };

export interface LaneRunner {
  /** There may be something due. */
  ask(): void;
  /** Takes no more, tells those that run by their signal, and waits for them. */
  close(): Promise<void>;
}

/**
 * Takes what is due and runs it.
 *
 * Invariants:
 * 1. In each lane at most `perLane` run, and `inAll` in all of them, with at most `bytes`, or by one more than that.
 * 2. A lane has at most twice as much as it leaves free, places and bytes (by one more): so there is room for others,
 *    however many of its own never end. Source: A. Choudhury, E. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998.
 * 3. While there is room a lane with something due is served whatever the others do: lanes take turns in being first.
 */
export function createLaneRunner<T>(options: {
  source: Lanes<T>;
  /** That it takes in memory. */
  bytesOf: (item: T) => number;
  /** Gives for how long its lane is left alone, ms; 0: not at all. What it throws is logged. */
  run: (item: T, signal: AbortSignal) => Promise<number>;
  limits: LaneLimits;
  clock: Clock;
  log: Log;
}): LaneRunner {
  const { source, bytesOf, run, limits, clock, log } = options;
  const atOnce = Math.ceil(limits.perLane / BATCHES);
  const closing = new AbortController();
  const running = new Map<string, Held>();
  let bytes = 0;
  const pauses = new Map<string, Timer>();
  const runs = new Set<Promise<void>>();
  let first = '';

  /** Undefined: none, or so little that it is not worth a commit. */
  function roomIn(lane: string): Room | undefined {
    if (pauses.has(lane)) return undefined;
    const own = running.get(lane) ?? NOTHING;
    const places = Math.ceil(shareOf(limits.inAll - runs.size, own.count));
    const count = Math.min(limits.perLane - own.count, places);
    const room = { count, bytes: shareOf(limits.bytes - bytes, own.bytes) };
    const isWorthIt = count > 0 && room.bytes > 0 && count >= Math.min(atOnce, own.count);
    return isWorthIt ? room : undefined;
  }

  async function step(): Promise<void> {
    const lanes = (await source.lanes(clock.now())).toSorted();
    const turn = lanes.findIndex((lane) => lane > first);
    for (const lane of [...lanes.slice(Math.max(0, turn)), ...lanes.slice(0, Math.max(0, turn))]) {
      const room = roomIn(lane);
      if (!room) continue;
      first = lane;
      for (const item of await source.take(lane, room, clock.now())) begin(lane, item);
    }
  }

  function begin(lane: string, item: T): void {
    const size = bytesOf(item);
    hold(lane, 1, size);
    const one = runOne(lane, item).finally(() => {
      runs.delete(one);
      hold(lane, -1, -size);
      loop.ask();
    });
    runs.add(one);
  }

  function hold(lane: string, more: 1 | -1, moreBytes: number): void {
    const before = running.get(lane) ?? NOTHING;
    const held = { count: before.count + more, bytes: before.bytes + moreBytes };
    if (held.count > 0) running.set(lane, held);
    else running.delete(lane);
    bytes += moreBytes;
  }

  async function runOne(lane: string, item: T): Promise<void> {
    try {
      const pauseMs = await run(item, closing.signal);
      if (pauseMs > 0 && !closing.signal.aborted) pause(lane, pauseMs);
    } catch (error) {
      if (!closing.signal.aborted) log.error({ lane, error: messageOf(error) }, 'nothing was sent');
    }
  }

  function pause(lane: string, ms: number): void {
    pauses.get(lane)?.cancel();
    const timer = clock.after(ms, () => {
      pauses.delete(lane);
      loop.ask();
    });
    pauses.set(lane, timer);
  }

  const loop = createLoop({
    clock,
    everyMs: LOOK_MS,
    step,
    onError: (error) => log.error({ error: messageOf(error) }, 'what is to be sent is not known'),
  });
  return {
    ask: () => loop.ask(),
    async close() {
      await loop.close();
      closing.abort();
      for (const timer of pauses.values()) timer.cancel();
      await Promise.all(runs);
    },
  };
}

/** What one that has `own` may have more of what is left free. */
function shareOf(free: number, own: number): number {
  return (SHARE * free - own) / (1 + SHARE);
}
