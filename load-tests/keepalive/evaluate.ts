import type { Account } from '#simulate/account.ts';
import { createAdaptiveEvictor, createOnline } from '#simulate/adaptive.ts';
import { meetTargets } from '#simulate/bisect.ts';
import { createGreedyDual, createLru } from '#simulate/evictors.ts';
import { createFrontier } from '#simulate/frontier.ts';
import { percentilesOf } from '#simulate/percentiles.ts';
import { parsePolicy } from '#simulate/policy-names.ts';
import { replay } from '#simulate/replay.ts';
import { replayCapped } from '#simulate/replay-capped.ts';
import type { Trace } from '#simulate/trace.ts';
import { bootstrapRatio, groupTwins, type Interval } from './bootstrap.ts';

/** A baseline, and the learned policy at the price at which it uses the same memory. */
export interface EqualMemoryRow extends Interval {
  readonly baseline: string;
  readonly idleMemory: number;
  /** What the learned policy used, over that: as near as bisection came. */
  readonly memoryRatio: number;
  readonly cold: number;
  readonly adaptive: number;
  readonly ratio: number;
  /** Cold starts of the learned policy over those of the clairvoyant frontier at this memory. */
  readonly toFrontier: number;
  /** Share of a model's arrivals that were cold, 75th percentile of the models. */
  readonly p75: number;
  readonly adaptiveP75: number;
  /** In the second half alone, at equal memory in the second half. */
  readonly lateCold: number;
  readonly lateAdaptive: number;
  readonly lateRatio: number;
}

/** The price found online for the mean memory of a baseline, beside the one found by bisection. */
export interface OnlineRow {
  readonly budget: string;
  /** In the second half: memory over the budget, and cold starts of both. */
  readonly lateMemory: number;
  readonly lateCold: number;
  readonly lateBisected: number;
  readonly ratio: number;
}

export interface CapRow extends Interval {
  /** Of the memory of all models. */
  readonly share: number;
  readonly lru: number;
  readonly greedyDual: number;
  readonly adaptive: number;
  /** To greedy-dual. */
  readonly ratio: number;
}

export interface TraceResult {
  readonly trace: string;
  readonly models: number;
  readonly arrivals: number;
  readonly equalMemory: readonly EqualMemoryRow[];
  readonly online: readonly OnlineRow[];
  readonly capped: readonly CapRow[];
}

const BASELINES = [
  'fixed:1m',
  'fixed:2m',
  'fixed:5m',
  'fixed:10m',
  'fixed:20m',
  'fixed:1h',
  'fixed:2h',
  'fixed:3h',
  'fixed:4h',
  'hybrid',
];
const BUDGETS = new Set(['fixed:10m', 'hybrid']);
const CAPS = [0.15, 0.2, 0.3, 0.4, 0.5];

export function evaluate(name: string, trace: Trace, say: (text: string) => void): TraceResult {
  const groups = groupTwins(trace);
  say(`${name}: equal memory`);
  const pairs = meetBaselines(trace);
  const frontier = createFrontier(trace);
  const equalMemory = pairs.map((pair) => makeEqualMemoryRow(trace, groups, frontier, pair));
  const online = pairs
    .filter(({ baseline }) => BUDGETS.has(baseline))
    .map((pair) => {
      say(`${name}: online, ${pair.baseline}`);
      return compareOnline(trace, pair);
    });
  const capped = CAPS.map((share) => {
    say(`${name}: ${share} of the memory`);
    return compareCapped(trace, groups, share);
  });
  const [models, arrivals] = [trace.models.length, trace.at.length];
  return { trace: name, models, arrivals, equalMemory, online, capped };
}

function runBaseline(trace: Trace, name: string): Account {
  const policy = parsePolicy(name);
  if (policy.kind !== 'planner') throw new Error(`${name} is no baseline`);
  return replay(trace, policy.create(trace))[0]!;
}

const usedWhole = ({ whole }: Account): number => whole.idleMemory;
const usedLate = ({ late }: Account): number => late.idleMemory;

/** A baseline, and the learned policy at its memory: on the whole, and in the second half. */
interface Pair {
  readonly baseline: string;
  readonly theirs: Account;
  readonly ours: Account;
  readonly oursLate: Account;
}

function meetBaselines(trace: Trace): Pair[] {
  const all = BASELINES.map((name) => runBaseline(trace, name));
  const met = meetTargets(trace, [
    ...all.map((one) => ({ budget: usedWhole(one), usedOf: usedWhole })),
    ...all.map((one) => ({ budget: usedLate(one), usedOf: usedLate })),
  ]);
  return all.map((theirs, index) => ({
    baseline: BASELINES[index]!,
    theirs,
    ours: met[index]!.account,
    oursLate: met[index + all.length]!.account,
  }));
}

function makeEqualMemoryRow(
  trace: Trace,
  groups: readonly number[][],
  frontier: (idleMemory: number) => number,
  { baseline, theirs, ours, oursLate }: Pair,
): EqualMemoryRow {
  return {
    baseline,
    idleMemory: usedWhole(theirs) / (trace.to - trace.from),
    memoryRatio: usedWhole(ours) / usedWhole(theirs),
    cold: theirs.whole.cold,
    adaptive: ours.whole.cold,
    ratio: ours.whole.cold / theirs.whole.cold,
    ...bootstrapRatio(groups, ours, theirs),
    toFrontier: ours.whole.cold / frontier(usedWhole(theirs)),
    p75: percentilesOf(theirs).p75,
    adaptiveP75: percentilesOf(ours).p75,
    lateCold: theirs.late.cold,
    lateAdaptive: oursLate.late.cold,
    lateRatio: oursLate.late.cold / theirs.late.cold,
  };
}

/** The budget is what the baseline used on the whole; the bisected run has used as much. */
function compareOnline(trace: Trace, { baseline, theirs, ours }: Pair): OnlineRow {
  const used = usedWhole(theirs);
  const [online] = replay(trace, createOnline(trace, used / (trace.to - trace.from)));
  const [lateCold, lateBisected] = [online!.late.cold, ours.late.cold];
  return {
    budget: baseline,
    lateMemory: usedLate(online!) / (used / 2),
    lateCold,
    lateBisected,
    ratio: lateCold / lateBisected,
  };
}

function compareCapped(trace: Trace, groups: readonly number[][], share: number): CapRow {
  const cap = share * trace.models.reduce((sum, { memory }) => sum + memory, 0);
  const [lru, greedyDual, adaptive] = [createLru, createGreedyDual, createAdaptiveEvictor].map(
    (create) => replayCapped(trace, create(trace), cap),
  );
  return {
    share,
    lru: lru!.whole.cold,
    greedyDual: greedyDual!.whole.cold,
    adaptive: adaptive!.whole.cold,
    ratio: adaptive!.whole.cold / greedyDual!.whole.cold,
    ...bootstrapRatio(groups, adaptive!, greedyDual!),
  };
}
