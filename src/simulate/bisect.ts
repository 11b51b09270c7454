import type { Account } from './account.ts';
import { createAdaptive, typicalWorth } from './adaptive.ts';
import { replay } from './replay.ts';
import type { Trace } from './trace.ts';

/** What a run at one price came to. */
export interface Priced {
  readonly price: number;
  readonly account: Account;
}

/** Memory × ms to use, and where in an account it is counted. */
export interface Target {
  readonly budget: number;
  readonly usedOf: (account: Account) => number;
}

/** The first prices: a typical model is worth its memory for so many minutes. */
const FIRST_MINUTES = [0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560];
const MINUTE_MS = 60_000;
const CLOSE_ENOUGH = 0.001;
/** Beyond, the steps of the use are what is left. */
const MOST_PASSES = 6;
/** How much dearer or cheaper is tried next when no price was enough. */
const WIDER = 4;

/**
 * For each target the run whose use is nearest to it. All prices of a pass share one replay, since what the policy
 * learns does not depend on them.
 */
export function meetTargets(trace: Trace, targets: readonly Target[]): Priced[] {
  const worth = typicalWorth(trace);
  const points: Priced[] = [];
  let prices = FIRST_MINUTES.map((minutes) => worth / (minutes * MINUTE_MS));
  for (let pass = 0; pass < MOST_PASSES && prices.length > 0; pass++) {
    const accounts = replay(trace, createAdaptive(trace, prices));
    points.push(...accounts.map((account, index) => ({ price: prices[index]!, account })));
    points.sort((a, b) => b.price - a.price);
    const open = targets.filter((target) => missOf(target, nearest(points, target)) > CLOSE_ENOUGH);
    prices = [...new Set(open.map((target) => nextPrice(points, target)))];
  }
  return targets.map((target) => nearest(points, target));
}

function nearest(points: readonly Priced[], target: Target): Priced {
  return points.reduce((best, point) =>
    missOf(target, point) < missOf(target, best) ? point : best,
  );
}

function missOf({ budget, usedOf }: Target, { account }: Priced): number {
  return Math.abs(Math.log(usedOf(account) / budget));
}

/** Between the two that the budget lies between, on logarithmic scales. */
function nextPrice(points: readonly Priced[], { budget, usedOf }: Target): number {
  const above = points.findIndex(({ account }) => usedOf(account) > budget);
  if (above < 0) return points.at(-1)!.price / WIDER;
  if (above === 0) return points[0]!.price * WIDER;
  const [low, high] = [points[above - 1]!, points[above]!];
  const [from, to] = [usedOf(low.account), usedOf(high.account)];
  // Never at the ends: each pass narrows the bracket.
  const share = Math.min(Math.max(Math.log(budget / from) / Math.log(to / from), 0.05), 0.95);
  return low.price * (high.price / low.price) ** share;
}
