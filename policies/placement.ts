import { formatSize } from '#domain/units.ts';
import { formatCount } from './words.ts';

/** A revision that nobody uses and no floor holds: its memory can be had. */
export interface IdleRevision {
  readonly revision: string;
  /** Of all its instances that are not on their way out. */
  readonly bytes: number;
  readonly idleSince: number;
  /** What keeping it is worth for each byte: the least goes first. Absent: nothing is known of it. */
  readonly worth?: number;
  /** All that it has is frozen. */
  readonly parked?: boolean;
}

export interface PlacementSeen {
  readonly budget: number;
  /** Reserved by all instances that run or are ordered, those on their way out included. */
  readonly used: number;
  /** The part of `used` that is on its way out. */
  readonly leaving: number;
  /** The part of `used` that processes hold which stand by for any model. */
  readonly standby?: number;
  /** What one more instance takes, and how many more are asked for. */
  readonly bytesEach: number;
  readonly more: number;
  readonly idle: readonly IdleRevision[];
}

export interface PlacementDecision {
  /** How many of `more` may start now. */
  readonly grant: number;
  /** Idle revisions that have to go so that the rest can start. */
  readonly evict: readonly string[];
  /** False: it would not fit with nothing else there. */
  readonly possible: boolean;
  /** What stands by has to go; `grant` and `evict` are what there is to do besides. */
  readonly endStandby?: boolean;
}

/**
 * Who may start within the memory budget, and who goes for it: first what stands by, which is nobody's, then
 * what is parked, then what is least worth its memory, then the longest idle.
 */
export function decidePlacement(seen: PlacementSeen): { decision: PlacementDecision; why: string } {
  const { standby = 0, used, more } = seen;
  const placed = place(seen);
  if (standby === 0 || placed.decision.grant === more || !placed.decision.possible) return placed;
  const without = place({ ...seen, used: used - standby });
  const isUseful = without.decision.grant > placed.decision.grant;
  if (!isUseful && without.decision.evict.length >= placed.decision.evict.length) return placed;
  return {
    decision: { ...without.decision, endStandby: true },
    why: `${without.why}; what stands by goes`,
  };
}

function place(seen: PlacementSeen): { decision: PlacementDecision; why: string } {
  const { budget, used, leaving, bytesEach, more } = seen;
  const grant = bytesEach === 0 ? more : clamp(Math.floor((budget - used) / bytesEach), 0, more);
  if (grant === more) {
    return {
      decision: { grant, evict: [], possible: true },
      why: `${formatCount(more)} of ${formatSize(bytesEach)} fit: ${formatSize(used)} of ${formatSize(budget)} in use`,
    };
  }
  const numbers = `${formatCount(more)} of ${formatSize(bytesEach)} asked for, ${formatSize(used)} of ${formatSize(budget)} in use`;
  if (bytesEach > budget) {
    return { decision: { grant, evict: [], possible: false }, why: `it can never fit: ${numbers}` };
  }
  const evict = chooseIdle(seen.idle, more * bytesEach - (budget - used) - leaving);
  const freed = evict.reduce((sum, one) => sum + one.bytes, 0);
  // Nobody goes for nothing: with all of them gone not one more would fit.
  const useful = budget - used + leaving + freed >= (grant + 1) * bytesEach;
  const names = useful ? evict.map((one) => one.revision) : [];
  return {
    decision: { grant, evict: names, possible: true },
    why: `${numbers}; ${whatNext(names, leaving)}`,
  };
}

function chooseIdle(idle: readonly IdleRevision[], short: number): readonly IdleRevision[] {
  const chosen: IdleRevision[] = [];
  let missing = short;
  for (const one of idle.toSorted(byUse)) {
    if (missing <= 0) break;
    chosen.push(one);
    missing -= one.bytes;
  }
  return chosen;
}

function byUse(a: IdleRevision, b: IdleRevision): number {
  const byState = Number(b.parked ?? false) - Number(a.parked ?? false);
  const [worth, other] = [a.worth ?? 0, b.worth ?? 0];
  // Two that are worth any price have no difference.
  const byWorth = worth === other ? 0 : worth - other;
  return byState || byWorth || a.idleSince - b.idleSince;
}

function whatNext(evict: readonly string[], leaving: number): string {
  if (evict.length > 0) return `the idle that are least worth it go first: ${evict.join(', ')}`;
  if (leaving > 0) return `waiting for ${formatSize(leaving)} on their way out`;
  return 'all of it is in use: waiting';
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
