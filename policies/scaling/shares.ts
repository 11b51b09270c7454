import { formatCount } from '../words.ts';

/**
 * Who gets how many instances when there is not enough for all: weighted max-min fairness (Bertsekas and Gallager, Data
 * Networks, 1992, 6.5.2) in whole instances, by the method of Sainte-Laguë: the next one goes to who has least for its
 * weight, half of the next one counted.
 */

export interface Claim {
  readonly id: string;
  /** What one instance takes of the budget, in its unit; above 0. */
  readonly size: number;
  /** Instances that it has before any share is looked at. */
  readonly floor: number;
  /** Instances that it can use; no more is ever given. */
  readonly demand: number;
  readonly weight: number;
  /** All of a higher priority have what they can use before a lower one has more than its floor. */
  readonly priority: number;
}

export interface Share {
  readonly id: string;
  readonly count: number;
}

interface Taker {
  readonly claim: Claim;
  readonly most: number;
  count: number;
}

/** More steps would not tell two floating-point numbers apart. */
const BISECTIONS = 64;

/**
 * Floors first, those of a higher priority before others; then each priority shares what is left, in turn. Never over
 * the budget, and nothing is left over that anybody could use.
 */
export function decideShares(budget: number, claims: readonly Claim[]): readonly Share[] {
  const takers = claims.map(makeTaker);
  const tiers = tiersOf(takers);
  let free = budget;
  for (const tier of tiers)
    free = fill(tier, free, ({ claim, most }) => Math.min(claim.floor, most));
  for (const tier of tiers) free = fill(tier, free, ({ most }) => most);
  return takers.map(({ claim, count }) => ({ id: claim.id, count }));
}

/** Why it has got so many. */
export function explainShare({ count }: Share, { demand, weight, floor }: Claim): string {
  const least = floor > 0 ? `, floor ${floor}` : '';
  return `its share is ${formatCount(count)} of ${demand} (weight ${weight}${least})`;
}

function makeTaker(claim: Claim): Taker {
  return { claim, most: Math.max(0, Math.floor(claim.demand)), count: 0 };
}

function tiersOf(takers: readonly Taker[]): readonly (readonly Taker[])[] {
  const byPriority = new Map<number, Taker[]>();
  for (const taker of takers) {
    const { priority } = taker.claim;
    const tier = byPriority.get(priority) ?? [];
    tier.push(taker);
    byPriority.set(priority, tier);
  }
  return [...byPriority].toSorted(([a], [b]) => b - a).map(([, tier]) => tier);
}

/** Gives to all of a tier, each up to its limit; what is left then. */
function fill(tier: readonly Taker[], free: number, limitOf: (taker: Taker) => number): number {
  const open = tier.filter((taker) => taker.count < limitOf(taker));
  const before = costOf(open);
  // The level that nearly fits is found first: one by one would take as long as there are instances.
  let [low, high] = [0, Math.max(0, ...open.map((taker) => levelOf(taker, limitOf(taker))))];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (costAt(open, middle, limitOf) - before <= free) low = middle;
    else high = middle;
  }
  for (const taker of open) taker.count = countAt(taker, low, limitOf(taker));
  return giveRest(open, free - (costOf(open) - before), limitOf);
}

/** One by one to who has least for its weight, of those whose next one fits. */
function giveRest(open: readonly Taker[], left: number, limitOf: (taker: Taker) => number): number {
  let free = left;
  for (;;) {
    let next: Taker | undefined;
    for (const taker of open) {
      if (taker.count >= limitOf(taker) || taker.claim.size > free) continue;
      if (!next || levelOf(taker, taker.count + 1) < levelOf(next, next.count + 1)) next = taker;
    }
    if (!next) return free;
    next.count++;
    free -= next.claim.size;
  }
}

/** What it has for its weight when this one of its instances is due. */
function levelOf({ claim }: Taker, nth: number): number {
  return ((nth - 0.5) * claim.size) / claim.weight;
}

function countAt({ claim, count }: Taker, level: number, limit: number): number {
  const due = Math.floor((level * claim.weight) / claim.size + 0.5);
  return Math.min(Math.max(due, count), limit);
}

function costAt(open: readonly Taker[], level: number, limitOf: (taker: Taker) => number): number {
  return open.reduce(
    (sum, taker) => sum + countAt(taker, level, limitOf(taker)) * taker.claim.size,
    0,
  );
}

function costOf(open: readonly Taker[]): number {
  return open.reduce((sum, { claim, count }) => sum + count * claim.size, 0);
}
