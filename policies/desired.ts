import type { KeepAlive } from './keepalive.ts';
import { formatCount } from './words.ts';

/** A floor or a ceiling that somebody publishes, with the reason in one sentence. */
export interface Bound {
  /** Stable and short: `min`, `proof`, `max`, `deleted`. Part of metrics and events. */
  readonly source: string;
  readonly count: number;
  readonly why: string;
}

export interface DesiredSeen {
  readonly scale: { readonly count: number; readonly mode: string; readonly why: string };
  readonly keepAlive: KeepAlive & { readonly why: string };
  /** How many are frozen. */
  readonly parked: number;
  /** Something waits or runs now. */
  readonly busy: boolean;
  readonly floors: readonly Bound[];
  readonly ceilings: readonly Bound[];
}

export interface Desired {
  readonly desired: number;
  /** How many may be frozen besides. */
  readonly parked: number;
  readonly min: number;
  readonly max: number;
  /** What settled it: `load:stable`, `keep-alive`, `ahead`, `parked`, `idle`, `evicted`, `floor:min`, `ceiling:max`, … */
  readonly reason: string;
}

/**
 * One number from all that has a say. Load sets it while anything waits or runs; then keep-alive decides
 * whether the last instance stays, and when it lets go, all go, or are frozen: nobody has used any of them. A
 * ceiling beats a floor: what is deleted must go, whatever wanted to keep it, and what is frozen counts, too.
 */
export function decideDesired(seen: DesiredSeen): { decision: Desired; why: string } {
  const wish = wishOf(seen);
  const floor = highest(seen.floors);
  const ceiling = lowest(seen.ceilings);
  const max = ceiling?.count ?? Number.MAX_SAFE_INTEGER;
  const min = Math.min(floor?.count ?? 0, max);
  const { parked } = wish;
  if (ceiling && Math.max(wish.count, floor?.count ?? 0) > max) {
    const reason = `ceiling:${ceiling.source}`;
    return settle({ desired: max, parked, min, max, reason }, ceiling.why, wish.why);
  }
  if (floor && floor.count > wish.count) {
    const reason = `floor:${floor.source}`;
    return settle({ desired: floor.count, parked, min, max, reason }, floor.why, wish.why);
  }
  return settle({ desired: wish.count, parked, min, max, reason: wish.reason }, wish.why);
}

/** Its memory is taken away. No ceiling: it may come back at any time, and what was prepared stays. */
export function makeEvicted(
  why: string,
  ceilings: readonly Bound[],
): { decision: Desired; why: string } {
  const max = lowest(ceilings)?.count ?? Number.MAX_SAFE_INTEGER;
  return settle({ desired: 0, parked: 0, min: 0, max, reason: 'evicted' }, why);
}

interface Wish {
  readonly count: number;
  readonly parked: number;
  readonly reason: string;
  readonly why: string;
}

function wishOf(seen: DesiredSeen): Wish {
  const { scale, keepAlive } = seen;
  const parked = keepAlive.park ? seen.parked : 0;
  const load = { parked, reason: `load:${scale.mode}`, why: scale.why };
  if (seen.busy) return { ...load, count: Math.max(1, scale.count) };
  const { why } = keepAlive;
  if (keepAlive.keep) {
    if (scale.count > 1) return { ...load, count: scale.count };
    return { count: 1, parked, reason: keepAlive.ahead ? 'ahead' : 'keep-alive', why };
  }
  if (!keepAlive.park) return { count: 0, parked: 0, reason: 'idle', why };
  return { count: 0, parked: Math.max(1, scale.count, parked), reason: 'parked', why };
}

function settle(
  wanted: Desired,
  why: string,
  otherwise?: string,
): { decision: Desired; why: string } {
  const rest = otherwise === undefined ? '' : `; without that: ${otherwise}`;
  const { desired, max } = wanted;
  const parked = Math.max(0, Math.min(wanted.parked, max - desired));
  const frozen = parked > 0 ? ` and ${parked} parked` : '';
  return {
    decision: { ...wanted, parked },
    why: `${formatCount(desired)}${frozen}: ${why}${rest}`,
  };
}

/** The first of those with the highest count. */
export function highest(bounds: readonly (Bound | undefined)[]): Bound | undefined {
  return bounds.reduce<Bound | undefined>(
    (best, bound) => (bound && (!best || bound.count > best.count) ? bound : best),
    undefined,
  );
}

function lowest(bounds: readonly Bound[]): Bound | undefined {
  return bounds.reduce<Bound | undefined>(
    (best, bound) => (best === undefined || bound.count < best.count ? bound : best),
    undefined,
  );
}
