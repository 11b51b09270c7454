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
  readonly keepAlive: { readonly keep: boolean; readonly why: string };
  /** Something waits or runs now. */
  readonly busy: boolean;
  readonly floors: readonly Bound[];
  readonly ceilings: readonly Bound[];
}

export interface Desired {
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  /** What settled it: `load:stable`, `keep-alive`, `idle`, `floor:min`, `ceiling:max`, … */
  readonly reason: string;
}

/**
 * One number from all that has a say. Load sets it while anything waits or runs; then keep-alive decides
 * whether the last instance stays, and when it lets go, all go: nobody has used any of them. A ceiling
 * beats a floor: what is deleted must go, whatever wanted to keep it.
 */
export function decideDesired(seen: DesiredSeen): { decision: Desired; why: string } {
  const wish = wishOf(seen);
  const floor = highest(seen.floors);
  const ceiling = lowest(seen.ceilings);
  const max = ceiling?.count ?? Number.MAX_SAFE_INTEGER;
  const min = Math.min(floor?.count ?? 0, max);
  if (ceiling && Math.max(wish.count, floor?.count ?? 0) > max) {
    return settle(max, min, max, `ceiling:${ceiling.source}`, ceiling.why, wish.why);
  }
  if (floor && floor.count > wish.count) {
    return settle(floor.count, min, max, `floor:${floor.source}`, floor.why, wish.why);
  }
  return settle(wish.count, min, max, wish.reason, wish.why);
}

function wishOf(seen: DesiredSeen): { count: number; reason: string; why: string } {
  const { scale, keepAlive } = seen;
  if (seen.busy) {
    return { count: Math.max(1, scale.count), reason: `load:${scale.mode}`, why: scale.why };
  }
  if (!keepAlive.keep) return { count: 0, reason: 'idle', why: keepAlive.why };
  if (scale.count > 1) {
    return { count: scale.count, reason: `load:${scale.mode}`, why: scale.why };
  }
  return { count: 1, reason: 'keep-alive', why: keepAlive.why };
}

function settle(
  desired: number,
  min: number,
  max: number,
  reason: string,
  why: string,
  otherwise?: string,
): { decision: Desired; why: string } {
  const rest = otherwise === undefined ? '' : `; without that: ${otherwise}`;
  return {
    decision: { desired, min, max, reason },
    why: `${formatCount(desired)}: ${why}${rest}`,
  };
}

function highest(bounds: readonly Bound[]): Bound | undefined {
  return bounds.reduce<Bound | undefined>(
    (best, bound) => (best === undefined || bound.count > best.count ? bound : best),
    undefined,
  );
}

function lowest(bounds: readonly Bound[]): Bound | undefined {
  return bounds.reduce<Bound | undefined>(
    (best, bound) => (best === undefined || bound.count < best.count ? bound : best),
    undefined,
  );
}
