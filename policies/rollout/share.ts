import type { DifferenceEvidence, Outcomes, RolloutMemory } from '#domain/rollout.ts';
import {
  addStratum,
  logFineShare,
  NO_DIFFERENCE,
  type Stratum,
  type Values,
} from './difference.ts';
import { bet, logEvidence, NO_BETS } from './odds.ts';

/** Of things that are good or not: bets that the canary's are worse, and how much so. */
export type ShareEvidence = NonNullable<RolloutMemory['success']>;

export const NO_SHARES: ShareEvidence = { worse: NO_BETS, difference: NO_DIFFERENCE };

/** All values are 0 or 1. */
export function addShares(before: ShareEvidence, stratum: Stratum): ShareEvidence {
  const { stable, canary } = stratum;
  const table = {
    events: canary.count - canary.sum,
    trials: canary.count,
    otherEvents: stable.count - stable.sum,
    otherTrials: stable.count,
  };
  return {
    worse: bet(before.worse, table),
    difference: addStratum(before.difference, stratum),
  };
}

/** Logarithms of e-values: against "not worse", and against "worse by the margin or more". */
export function weighShares(
  { worse, difference }: ShareEvidence,
  margin: number,
): { worse: number; fine: number } {
  return { worse: logEvidence(worse), fine: logFineShare(difference, margin) };
}

export function valuesOf({ ok, failed }: Pick<Outcomes, 'ok' | 'failed'>): Values {
  return { count: ok + failed, sum: ok, sumSquares: ok };
}

/** `99.1 % of 1204 against 99.3 % of 8310`. */
export function describeShares({ canary, stable }: DifferenceEvidence): string {
  return `${describeShare(canary)} against ${describeShare(stable)}`;
}

/** `99.1 % of 1204`. */
export function describeShare({
  sum,
  count,
}: Pick<DifferenceEvidence['stable'], 'sum' | 'count'>): string {
  return `${formatShare(count === 0 ? 0 : sum / count)} of ${count}`;
}

/** In percent: two digits that tell, also close to the ends. */
export function formatShare(share: number): string {
  const rest = Math.min(share, 1 - share);
  const digits = rest > 0 && rest < 0.001 ? 3 : rest < 0.01 && rest > 0 ? 2 : 1;
  return `${Number((share * 100).toFixed(digits))} %`;
}
