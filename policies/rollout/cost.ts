import { latencyBound } from '#domain/latency.ts';
import type { Outcomes, RolloutMemory } from '#domain/rollout.ts';
import { UNLIMITED_CONCURRENCY } from '../scale.ts';
import { addStratum, logWorse, NO_DIFFERENCE, type Values } from './difference.ts';

/** What an instance of a revision is. */
export interface InstanceSize {
  /** Bytes, declared or measured; undefined, or declared as 0: it is not known. */
  readonly memory: number | undefined;
  /** Requests that it takes at once; 0 = no limit. */
  readonly concurrency: number;
}

export interface Sizes {
  readonly stable: InstanceSize;
  readonly canary: InstanceSize;
}

export type CostEvidence = NonNullable<RolloutMemory['cost']>;

export const NO_COST: CostEvidence = { worse: NO_DIFFERENCE, fine: NO_DIFFERENCE };

/**
 * What each request takes of an instance: its time, as one of so many that an instance has room for, and as much more as an
 * instance has more memory than one of the stable revision. Its wait for a slot is in its time, as in that of latencies.
 * The time in which an instance waits for requests is not counted: that is what a small share of them makes of it, not
 * the revision.
 */
export function addCosts(
  before: CostEvidence,
  { stable, canary }: { readonly stable: Outcomes; readonly canary: Outcomes },
  sizes: Sizes,
  ratio: number,
): CostEvidence {
  const unknown = findUnknown(sizes);
  if (unknown !== undefined) return { ...before, missing: unknown };
  const larger = (sizes.canary.memory || 1) / (sizes.stable.memory || 1);
  const theirs = valuesOf(stable, -1 / slotsOf(sizes.stable));
  const ours = valuesOf(canary, -larger / slotsOf(sizes.canary));
  const theirsAtRatio = valuesOf(stable, -ratio / slotsOf(sizes.stable));
  return {
    worse: addStratum(before.worse, { stable: theirs, canary: ours }),
    fine: addStratum(before.fine, { stable: ours, canary: theirsAtRatio }),
  };
}

/** Logarithms of e-values: against "costs no more", and against "costs the ratio times as much, or more". */
export function weighCosts(
  { worse, fine }: CostEvidence,
  ratio: number,
): { worse: number; fine: number } {
  const { sum, count } = worse.stable;
  const margin = count === 0 ? 0 : ((ratio - 1) * -sum) / count;
  return { worse: logWorse(worse, margin), fine: logWorse(fine, margin) };
}

/** `12.1 ms of an instance for each of 1204 against 9.4 ms for each of 8310`. */
export function describeCosts({ worse }: CostEvidence): string {
  return `${describeCost(worse.canary)} against ${describeCost(worse.stable)}`;
}

function describeCost({ sum, count }: Pick<Values, 'sum' | 'count'>): string {
  const each = count === 0 ? 0 : (-sum / count) * 1000;
  return `${Number(each.toPrecision(3))} ms of an instance for each of ${count}`;
}

/** Known of one alone, its memory cannot be compared; known of none, time alone is. */
function findUnknown({ stable, canary }: Sizes): string | undefined {
  if (!stable.memory === !canary.memory) return undefined;
  const which = stable.memory ? 'the canary' : 'the stable one';
  return `the memory of an instance of ${which} is not measured`;
}

function slotsOf({ concurrency }: InstanceSize): number {
  return concurrency === 0 ? UNLIMITED_CONCURRENCY : concurrency;
}

/** Seconds, each times the factor. */
function valuesOf({ latency }: Outcomes, factor: number): Values {
  let [count, sum, sumSquares] = [0, 0, 0];
  for (let at = 0; at + 1 < latency.length; at += 2) {
    const value = (factor * latencyBound(latency[at]!)) / 1000;
    const found = latency[at + 1]!;
    count += found;
    sum += found * value;
    sumSquares += found * value ** 2;
  }
  return { count, sum, sumSquares };
}
