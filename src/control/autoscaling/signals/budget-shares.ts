import type { NamespaceBudget } from '#domain/budgets.ts';
import type { Bound } from '#policies/desired.ts';
import { type Claim, decideShares, explainShare } from '#policies/scaling/shares.ts';
import { type Active, floorsOf } from '../active.ts';
import type { Budget } from '../../budget.ts';

/**
 * Who may use how much when there is not enough for all that is in use, of a namespace's budget first, then of the
 * memory: a ceiling for each that gets less than it needs. Who gets its floor or its first instance is for placement to
 * say: everybody may have these.
 */
export interface BudgetShares {
  /** Sets `one.share` of each; those whose share has changed. */
  divide(all: Iterable<Active>): readonly Active[];
}

/** What one may have at most, so far. */
interface Taker {
  readonly one: Active;
  readonly bytes: number;
  readonly least: number;
  most: number;
  share: Bound | undefined;
}

export function createBudgetShares(options: {
  budget: Pick<Budget, 'bytesEach' | 'total'>;
  budgets?: readonly NamespaceBudget[] | undefined;
}): BudgetShares {
  const { budget, budgets = [] } = options;

  function makeTaker(one: Active): Taker {
    const floor = Math.max(...floorsOf(one).map(({ count }) => count), one.load > 0 ? 1 : 0);
    const most = Math.max(one.load, floor);
    const bytes = budget.bytesEach(one.facts);
    return { one, bytes, least: Math.max(1, floor), most, share: undefined };
  }

  return {
    divide(all) {
      const takers = Array.from(all, makeTaker);
      for (const { namespace, unit, most } of budgets) {
        const own = takers.filter(({ one }) => one.key.startsWith(`${namespace}/`));
        const what = `the budget of ${namespace} is short`;
        share(own, most, what, unit === 'memory' ? bytesOf : countOf);
      }
      share(takers, budget.total, 'memory is short', bytesOf);
      return takers.filter(settle).map(({ one }) => one);
    },
  };
}

function share(
  takers: readonly Taker[],
  most: number,
  what: string,
  sizeOf: (taker: Taker) => number,
): void {
  const counted = takers.filter((taker) => sizeOf(taker) > 0);
  const asked = counted.reduce((sum, taker) => sum + sizeOf(taker) * taker.most, 0);
  if (asked <= most) return;
  const claims = counted.map((taker) => claimOf(taker, sizeOf(taker)));
  const shares = decideShares(most, claims);
  for (const [index, taker] of counted.entries()) {
    const count = Math.max(taker.least, shares[index]!.count);
    if (count >= taker.most) continue;
    const why = `${what}: ${explainShare({ id: taker.one.key, count }, claims[index]!)}`;
    taker.share = { source: 'share', count, why };
    taker.most = count;
  }
}

function claimOf({ one, least, most }: Taker, size: number): Claim {
  const { weight, priority } = one.facts.scaling;
  return { id: one.key, size, floor: Math.min(least, most), demand: most, weight, priority };
}

function bytesOf({ bytes }: Taker): number {
  return bytes;
}

function countOf(): number {
  return 1;
}

/** Whether it is another share than before. */
function settle({ one, share: next }: Taker): boolean {
  const isOther = one.share?.count !== next?.count;
  one.share = next;
  return isOther;
}
