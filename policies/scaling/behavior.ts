/**
 * How fast a number of instances may change: stabilisation, rates and tolerance in each direction, with the meaning that
 * they have in `behavior` of a HorizontalPodAutoscaler (autoscaling/v2).
 */

/** At most `value` instances, or per cent of them, more or less within `periodSeconds`. */
export interface RatePolicy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly periodSeconds: number;
}

export interface Rules {
  /** Up: the least, down: the most that was wanted for so long counts. */
  readonly stabilizationWindowSeconds: number;
  /** None: no limit. */
  readonly policies: readonly RatePolicy[];
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  /** Less than this share of the present number is no reason to change it. */
  readonly tolerance: number;
}

export interface Behavior {
  readonly scaleUp: Rules;
  readonly scaleDown: Rules;
}

/** A wish, or a change. */
interface Timed {
  readonly at: number;
  readonly count: number;
}

/** `lows` and `highs`: wishes that may still be the least or the most of a window. `steps`: changes, signed. */
export interface BehaviorMemory {
  readonly lows: readonly Timed[];
  readonly highs: readonly Timed[];
  readonly steps: readonly Timed[];
}

export const STILL: BehaviorMemory = { lows: [], highs: [], steps: [] };

/** Changes that are remembered: one each second for the longest period that there is. */
const MOST_STEPS = 1800;

/** What floating-point numbers may lose. */
const ROUNDING = 1e-9;

export interface Paced {
  readonly count: number;
  /** What kept it from what was wanted; undefined: nothing. */
  readonly held: string | undefined;
  readonly memory: BehaviorMemory;
}

/**
 * From `current` towards `wanted` (with fractions), as fast as the rules let it. `isUrgent`: up at once.
 */
export function paceChange(
  behavior: Behavior,
  { wanted, current, isUrgent }: { wanted: number; current: number; isUrgent: boolean },
  memory: BehaviorMemory,
  now: number,
): Paced {
  const { scaleUp, scaleDown } = behavior;
  const wish = toleratedOf(behavior, wanted, current);
  const lows = remember(memory.lows, wish, scaleUp, now, (old) => old < wish);
  const highs = remember(memory.highs, wish, scaleDown, now, (old) => old > wish);
  const [low, high] = [lows[0]!.count, highs[0]!.count];
  const stable = isUrgent ? Math.max(wish, current) : between(current, low, high);
  const count = isUrgent ? stable : limitRate(behavior, stable, current, memory.steps, now);
  const steps = addStep(behavior, memory.steps, count - current, now);
  return {
    count,
    held: heldBy(behavior, { wish, stable, count, exact: wholeOf(wanted) }),
    memory: { lows, highs, steps },
  };
}

function toleratedOf(behavior: Behavior, wanted: number, current: number): number {
  const rules = wanted > current ? behavior.scaleUp : behavior.scaleDown;
  const isNear = current > 0 && Math.abs(wanted / current - 1) <= rules.tolerance + ROUNDING;
  return isNear ? current : wholeOf(wanted);
}

/** Upwards, but not for nothing. */
function wholeOf(wanted: number): number {
  return Math.max(0, Math.ceil(wanted - ROUNDING));
}

function between(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** What is older than the window goes, and what this wish makes meaningless: the first that stays is the extreme. */
function remember(
  wishes: readonly Timed[],
  wish: number,
  { stabilizationWindowSeconds }: Rules,
  now: number,
  isStronger: (old: number) => boolean,
): readonly Timed[] {
  const from = now - stabilizationWindowSeconds * 1000;
  const kept = wishes.filter(({ at, count }) => at > from && isStronger(count));
  return [...kept, { at: now, count: wish }];
}

function limitRate(
  { scaleUp, scaleDown }: Behavior,
  wanted: number,
  current: number,
  steps: readonly Timed[],
  now: number,
): number {
  if (wanted > current) return Math.min(wanted, boundOf(scaleUp, 1, current, steps, now));
  if (wanted < current) return Math.max(wanted, boundOf(scaleDown, -1, current, steps, now));
  return current;
}

/** How far it may be by now in one direction. A period begins with what there was, without the steps within it. */
function boundOf(
  { policies, selectPolicy }: Rules,
  sign: 1 | -1,
  current: number,
  steps: readonly Timed[],
  now: number,
): number {
  if (selectPolicy === 'Disabled') return current;
  if (policies.length === 0) return sign * Infinity;
  const bounds = policies.map(({ type, value, periodSeconds }) => {
    const begun = current - sumOf(steps, now - periodSeconds * 1000);
    const far = type === 'Pods' ? value : Math.ceil((begun * value) / 100);
    // At least one, or a small number would never grow by per cent.
    return sign * (begun + sign * Math.max(1, far));
  });
  const furthest = selectPolicy === 'Max' ? Math.max(...bounds) : Math.min(...bounds);
  return sign * Math.max(furthest, sign * current);
}

function sumOf(steps: readonly Timed[], since: number): number {
  let sum = 0;
  for (const { at, count } of steps) if (at > since) sum += count;
  return sum;
}

function addStep(
  { scaleUp, scaleDown }: Behavior,
  steps: readonly Timed[],
  change: number,
  now: number,
): readonly Timed[] {
  const periods = [...scaleUp.policies, ...scaleDown.policies].map((one) => one.periodSeconds);
  const from = now - Math.max(0, ...periods) * 1000;
  const kept = steps.filter(({ at }) => at > from);
  if (change === 0) return kept.length === steps.length ? steps : kept;
  return [...kept, { at: now, count: change }].slice(-MOST_STEPS);
}

function heldBy(
  { scaleUp, scaleDown }: Behavior,
  { wish, stable, count, exact }: { wish: number; stable: number; count: number; exact: number },
): string | undefined {
  if (count !== stable) return `${exact} would be too fast`;
  if (stable < wish) return `${exact} not wanted for ${scaleUp.stabilizationWindowSeconds} s yet`;
  if (stable > wish) return `more was wanted within ${scaleDown.stabilizationWindowSeconds} s`;
  if (wish !== exact) return `${exact} is too near to make a difference`;
  return undefined;
}
