import type { Claim } from '#policies/placement/line.ts';
import type { Active } from './active.ts';
import type { RevisionFacts } from '../records/facts.ts';

/**
 * Those who wait for memory.
 *
 * 1. Those that have no instance are before those that want more; then who has waited longer is first.
 * 2. `waitingSince` is set for exactly those that are in it.
 */
export interface MemoryLine {
  readonly size: number;
  /** It misses so many; true: it was not in the line before. */
  join(one: Active, missing: number, now: number): boolean;
  /** True: it was in the line. */
  leave(one: Active): boolean;
  inOrder(): readonly Active[];
  /** What it asks for, whether it is in the line or not. */
  claimOf(one: Active, more: number, now: number): Claim;
  /** What those who are before it ask for. */
  before(one: Active, now: number): readonly Claim[];
}

export function createMemoryLine(bytesEach: (facts: RevisionFacts) => number): MemoryLine {
  /** How many each misses, in the order in which they came. */
  const missing = new Map<Active, number>();

  function* inOrder(): Generator<[Active, number]> {
    for (const entry of missing) if (entry[0].granted === 0) yield entry;
    for (const entry of missing) if (entry[0].granted > 0) yield entry;
  }

  function claimOf(one: Active, more: number, now: number): Claim {
    const since = one.granted > 0 ? undefined : (one.waitingSince ?? now);
    return { revision: one.key, bytesEach: bytesEach(one.facts), more, since };
  }

  return {
    get size() {
      return missing.size;
    },
    join(one, count, now) {
      const isNew = !missing.has(one);
      missing.set(one, count);
      if (isNew) one.waitingSince = now;
      return isNew;
    },
    leave(one) {
      one.waitingSince = undefined;
      return missing.delete(one);
    },
    inOrder: () => Array.from(inOrder(), ([one]) => one),
    claimOf,
    before(asking, now) {
      const claims: Claim[] = [];
      for (const [one, more] of inOrder()) {
        if (one === asking || (one.granted > 0 && asking.granted === 0)) break;
        claims.push(claimOf(one, more, now));
      }
      return claims;
    },
  };
}
