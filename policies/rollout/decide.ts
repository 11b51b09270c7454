import { addPairs } from '#domain/latency.ts';
import {
  NO_OUTCOMES,
  type Outcomes,
  type RolloutMemory,
  type RolloutSpec,
} from '#domain/rollout.ts';
import { formatDuration } from '#domain/units.ts';
import { judgeBound } from './bounds.ts';
import { addCosts, NO_COST, type Sizes } from './cost.ts';
import { judge, type Measures, type Verdict } from './judge.ts';
import { addLatencies, countOf, LEAST_SEEN, NO_LATENCIES } from './latencies.ts';
import { addReading, findEvidence, isQuery, type QueryReading, queryOf } from './queries.ts';
import { addShares, NO_SHARES, valuesOf } from './share.ts';

export interface RolloutSeen {
  /** What became of requests since the last look, cold ones apart. */
  readonly stable: Outcomes;
  readonly canary: Outcomes;
  readonly measures: Measures;
  /** Of both revisions, for `cost`. */
  readonly sizes?: Sizes | undefined;
  /** What Prometheus and hooks say of both. */
  readonly queries?: readonly QueryReading[];
  /** Somebody wants no further step for now. */
  readonly paused: boolean;
}

/** `reason`: a few words that stay the same while nothing new is to be told. */
export type RolloutDecision =
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'advance'; readonly percent: number }
  | { readonly kind: 'promote' }
  | { readonly kind: 'rollBack'; readonly reason: string };

export interface RolloutDecided {
  readonly decision: RolloutDecision;
  readonly memory: RolloutMemory;
  readonly why: string;
}

/**
 * The chance that a canary as good as the stable one is rolled back, or one within all bounds, over all metrics and
 * bounds and however often it is looked at; and, for each, that one which is worse by its margin or beyond it passes.
 */
const ERROR = 0.05;
/**
 * From this evidence on that it is worse a blue-green one is not promoted, sure or not. As good as the old one it gets
 * there with a chance of one in three at most, in each metric, and what fails once in a while does not stay there.
 */
const DOUBT = 3;
const STEPS: readonly number[] = [5, 25, 50];
/** Tried out by whoever names it, then all at once. */
const BLUE_GREEN = [0, 100] as const;

/** The canary's share in percent, step by step; after the last one it is promoted. With a shadow the first is 0. */
export function stepsOf({ strategy, steps: written, shadow }: RolloutSpec): readonly number[] {
  const steps = written ?? STEPS;
  if (strategy === 'blueGreen') return BLUE_GREEN;
  return shadow === undefined ? steps : [0, ...steps];
}

export function beginRollout(now: number): RolloutMemory {
  return { step: 0, stepAt: now, requests: 0, latency: {} };
}

/**
 * The next step begins, whether or not it was decided here. What copies have told is not mixed with what callers will
 * tell: copies meet neither queues nor slow callers.
 */
export function beginStep(
  { shadow }: Pick<RolloutSpec, 'shadow'>,
  memory: RolloutMemory,
  now: number,
): RolloutMemory {
  const wasShadow = shadow !== undefined && memory.step === 0;
  const kept = wasShadow ? beginRollout(now) : memory;
  return { ...kept, step: memory.step + 1, stepAt: now, requests: 0 };
}

/**
 * Looks once more. Rolled back is what is sure to be worse, or beyond a bound; a step further goes what is sure, in every
 * metric, not to be worse by the margin, and within its bound. What is worse by less may end either way: that is what the margin means. Without enough to be
 * sure of either it stays where it is. Evidence is gathered over all steps.
 */
export function decideRollout(
  spec: RolloutSpec,
  seen: RolloutSeen,
  memory: RolloutMemory,
  now: number,
): RolloutDecided {
  const learned = learnQueries(spec, seen, learn(spec, seen, memory), now);
  const verdicts = spec.metrics.flatMap((metric) => [
    judge(metric, learned, seen.measures, spec.minSamples),
    ...judgeBound(metric, learned, seen.measures, spec.minSamples),
  ]);
  const worse = verdicts.find((verdict) => isWorse(verdict, verdicts.length));
  if (worse) {
    const reason = `${worse.name} is ${worse.fault}`;
    const why = `${reason}: ${worse.text}; ${describeEvidence(worse.worse, verdicts.length)}`;
    return { decision: { kind: 'rollBack', reason }, memory: learned, why };
  }
  const held = findHold(spec, learned, verdicts, now);
  if (held)
    return { decision: { kind: 'hold', reason: held.reason }, memory: learned, why: held.why };
  if (seen.paused) {
    return {
      decision: { kind: 'hold', reason: 'paused' },
      memory: learned,
      why: 'ready for the next step',
    };
  }
  return goOn(spec, learned, verdicts, now);
}

function goOn(
  spec: RolloutSpec,
  memory: RolloutMemory,
  verdicts: readonly Verdict[],
  now: number,
): RolloutDecided {
  const steps = stepsOf(spec);
  const percent = steps[memory.step + 1];
  const seen = verdicts.map(({ name, text }) => `${name}: ${text}`).join('; ');
  if (percent === undefined) return { decision: { kind: 'promote' }, memory, why: seen };
  const next = beginStep(spec, memory, now);
  return { decision: { kind: 'advance', percent }, memory: next, why: seen };
}

interface Hold {
  readonly reason: string;
  readonly why: string;
}

function findHold(
  spec: RolloutSpec,
  memory: RolloutMemory,
  verdicts: readonly Verdict[],
  now: number,
): Hold | undefined {
  const left = memory.stepAt + spec.interval - now;
  if (left > 0) {
    return { reason: 'interval', why: `a step takes ${formatDuration(spec.interval)} at least` };
  }
  if (spec.strategy === 'canary') return findFew(spec, memory) ?? findUnsure(verdicts);
  const few = findFewBefore(spec, memory);
  if (few) return few;
  // Until the switch nobody has to ask it.
  if (memory.step === 0) return findUnsure(verdicts.filter(({ isMeasured }) => isMeasured));
  return findFew(spec, memory) ?? findDoubt(verdicts);
}

/** Whatever it is judged by, what has answered nobody is not known. */
function findFew(spec: RolloutSpec, { requests }: RolloutMemory): Hold | undefined {
  if (requests >= spec.minSamples) return undefined;
  const which = judgesSuccess(spec) ? '' : ' that it answered';
  const why = `${requests} of at least ${spec.minSamples} warm requests${which} in this step`;
  return { reason: 'few requests', why };
}

/** blueGreen: after the switch the old one tells nothing more, so there must be enough of it to compare with. */
function findFewBefore(
  { metrics, minSamples }: RolloutSpec,
  { step, before = NO_OUTCOMES }: RolloutMemory,
): Hold | undefined {
  const judged = new Set<string>(metrics.map(({ metric }) => metric));
  const isTimed = judged.has('latency') || judged.has('cost');
  if (!isTimed && !judged.has('success')) return undefined;
  const needed = judged.has('latency') ? Math.max(minSamples, LEAST_SEEN) : minSamples;
  const count = isTimed ? countOf(before.latency) : before.ok + before.failed;
  if (count >= needed) return undefined;
  const which = isTimed ? 'that the old one answered' : 'of the old one';
  const found = `${count} of at least ${needed} warm requests ${which} before the switch, to compare it with`;
  if (step > 0)
    return { reason: 'no comparison', why: `${found}; no more will come: promote or abort` };
  return { reason: 'few requests before', why: `${found}; skip switches without` };
}

function findUnsure(verdicts: readonly Verdict[]): Hold | undefined {
  const unsure = verdicts.find((verdict) => !isFine(verdict));
  return unsure && makeUnsure(unsure);
}

function makeUnsure({ name, text, margin, fine, lack }: Verdict): Hold {
  const lacks = lack === undefined ? '' : `, ${lack}`;
  const why = `not sure yet that ${name} is not ${margin}: ${text}${lacks}; ${describeEvidence(fine, 1)}`;
  return { reason: `unsure of ${name}`, why };
}

/**
 * All requests go to it already, and the old one tells nothing more: to be sure that it is not worse may take for ever. Once
 * promoted it does not go back by itself: that waits for what each metric needs, and while what was seen speaks rather
 * for its being worse.
 */
function findDoubt(verdicts: readonly Verdict[]): Hold | undefined {
  const unknown = verdicts.find((verdict) => verdict.lack !== undefined && !isSure(verdict));
  if (unknown) {
    const { reason, why } = makeUnsure(unknown);
    return { reason, why: `${why}; promote or abort if no more can come of the old one` };
  }
  const doubted = verdicts.find((verdict) => verdict.worse >= Math.log(DOUBT) && !isFine(verdict));
  if (!doubted) return undefined;
  const { name, fault, text, worse } = doubted;
  const why = `${name} may be ${fault}: ${text}; ${describeEvidence(worse, verdicts.length)}`;
  return { reason: `doubt of ${name}`, why };
}

/** Sure of both: it is worse, by less than the margin. */
function isWorse(verdict: Verdict, metrics: number): boolean {
  return verdict.worse >= Math.log(metrics / ERROR) && verdict.fine < Math.log(1 / ERROR);
}

function isFine(verdict: Verdict): boolean {
  return verdict.lack === undefined && isSure(verdict);
}

function isSure({ fine }: Verdict): boolean {
  return fine >= Math.log(1 / ERROR);
}

function describeEvidence(log: number, metrics: number): string {
  const needed = metrics / ERROR;
  const found = log > Math.log(1e6) ? 'more than a million' : Number(Math.exp(log).toPrecision(2));
  return `evidence ${found}, ${needed} needed`;
}

function learn(spec: RolloutSpec, seen: RolloutSeen, memory: RolloutMemory): RolloutMemory {
  const requests = memory.requests + countRequests(spec, seen.canary);
  if (spec.strategy === 'canary') {
    const after = addOutcomes(memory.after, seen.canary);
    return { ...compare(spec, seen, memory), after, requests };
  }
  if (memory.step === 0) {
    return { ...memory, before: addOutcomes(memory.before, seen.stable), requests };
  }
  // Nothing goes to the old one any more: what it did before the switch is what there is to compare with.
  const after = addOutcomes(memory.after, seen.canary);
  const both = { ...seen, stable: addOutcomes(memory.before, seen.stable), canary: after };
  const { success: _, cost: __, ...rest } = memory;
  return { ...compare(spec, both, { ...rest, latency: {} }), after, requests };
}

/** Where nobody judges whether they succeed, those that fail are no answers. */
function countRequests(spec: RolloutSpec, { ok, failed }: Outcomes): number {
  return judgesSuccess(spec) ? ok + failed : ok;
}

function judgesSuccess({ metrics }: RolloutSpec): boolean {
  return metrics.some(({ metric }) => metric === 'success');
}

/** Each look is a pair of values, whatever became of the requests. */
function learnQueries(
  { metrics }: RolloutSpec,
  { queries: readings = [] }: RolloutSeen,
  memory: RolloutMemory,
  now: number,
): RolloutMemory {
  const queries = metrics.flatMap((metric) => {
    if (!isQuery(metric)) return [];
    const query = queryOf(metric);
    const reading = readings.find((each) => each.query === query);
    return [addReading(findEvidence(memory, query), reading, now)];
  });
  return queries.length === 0 ? memory : { ...memory, queries };
}

type Both = Pick<RolloutSeen, 'stable' | 'canary' | 'sizes'>;

function compare(
  { metrics }: RolloutSpec,
  { stable, canary, sizes }: Both,
  memory: RolloutMemory,
): RolloutMemory {
  const latency: RolloutMemory['latency'] = {};
  for (const metric of metrics) {
    if (metric.metric !== 'latency') continue;
    const known = memory.latency[metric.percentile] ?? NO_LATENCIES;
    latency[metric.percentile] = addLatencies(known, stable.latency, canary.latency, metric);
  }
  const stratum = { stable: valuesOf(stable), canary: valuesOf(canary) };
  const success = addShares(memory.success ?? NO_SHARES, stratum);
  const metric = metrics.find((each) => each.metric === 'cost');
  if (!metric || !sizes) return { ...memory, success, latency };
  const cost = addCosts(memory.cost ?? NO_COST, { stable, canary }, sizes, metric.ratio);
  return { ...memory, success, latency, cost };
}

function addOutcomes(before: Outcomes = NO_OUTCOMES, more: Outcomes): Outcomes {
  return {
    ok: before.ok + more.ok,
    failed: before.failed + more.failed,
    latency: addPairs(before.latency, more.latency),
  };
}
