import { coldWords, formatCount, formatFigure } from './words.ts';

/** Mean load over this many seconds sets the number in quiet times. Knative's stable window. */
export const STABLE_SECONDS = 60;
/** Mean load over this many seconds sets it in a burst. Knative's panic window: a tenth of the stable one. */
export const PANIC_SECONDS = 6;
/** A burst is a need of this many times what is ready. */
const PANIC_THRESHOLD = 2;
/** At most this many times what is ready, per decision: keeps a wrong number from starting a million. */
const MAX_UP_RATE = 1000;
/** At least the ready number divided by this stays, per decision. */
const MAX_DOWN_RATE = 2;
/** Requests that one instance is taken to carry when its concurrency has no limit. */
export const UNLIMITED_CONCURRENCY = 100;

export interface ScaleSpec {
  /** Requests that an instance takes at once; 0 = no limit. */
  readonly concurrency: number;
  /** Share of the concurrency to aim at, above 0, at most 1. */
  readonly target: number;
}

export interface ScaleSeen {
  /** Mean of requests waiting and running, over the stable and the panic window. */
  readonly stable: number;
  readonly panic: number;
  readonly ready: number;
  /** How many of them were woken so lately that no load of theirs can have been measured. */
  readonly woken: number;
  /** Now. */
  readonly queued: number;
  readonly inFlight: number;
}

/** `until` 0: not panicking. `count`: the most that was needed since the panic began. */
export interface ScaleMemory {
  readonly until: number;
  readonly count: number;
}

export const CALM: ScaleMemory = { until: 0, count: 0 };

/**
 * For instances that were there before anybody measured: as after a burst, their number does not fall while
 * they are used, until there is a stable window to judge by.
 */
export function makeAdoptedScale(count: number, now: number): ScaleMemory {
  return { until: now + STABLE_SECONDS * 1000, count };
}

export interface ScaleDecision {
  readonly count: number;
  readonly mode: 'cold' | 'panic' | 'stable';
}

/**
 * How many instances the load needs, as Knative's KPA counts it. Two things differ on purpose: seconds
 * before the first request count as no load, so that one long request does not look like a burst; and with
 * nothing ready, or only what was woken just now, the number follows what waits and runs now, at full concurrency, so
 * that one request starts one instance.
 */
export function decideScale(
  spec: ScaleSpec,
  seen: ScaleSeen,
  memory: ScaleMemory,
  now: number,
): { decision: ScaleDecision; memory: ScaleMemory; why: string } {
  const capacity = spec.concurrency === 0 ? UNLIMITED_CONCURRENCY : spec.concurrency;
  const perInstance = capacity * spec.target;
  const busy = seen.queued + seen.inFlight;
  const cold = seen.ready === seen.woken ? Math.ceil(busy / capacity) : 0;
  const burst = limitRate(Math.max(cold, Math.ceil(seen.panic / perInstance)), seen.ready);
  const steady = limitRate(Math.ceil(seen.stable / perInstance), seen.ready);
  const next = nextPanic(memory, burst, Math.max(burst, steady), seen.ready, now);
  const needed = next.until > 0 ? next.count : Math.max(steady, cold);
  const count = Math.max(needed, busy > 0 ? 1 : 0);
  const mode = next.until > 0 ? 'panic' : cold > 0 ? 'cold' : 'stable';
  return { decision: { count, mode }, memory: next, why: whyOf(seen, perInstance, mode, count) };
}

function limitRate(count: number, ready: number): number {
  const most = Math.ceil(MAX_UP_RATE * Math.max(1, ready));
  const least = Math.floor(ready / MAX_DOWN_RATE);
  return Math.min(Math.max(count, least), most);
}

/** A burst lasts until one stable window has passed without need of a burst; meanwhile the number only grows. */
function nextPanic(
  memory: ScaleMemory,
  burst: number,
  needed: number,
  ready: number,
  now: number,
): ScaleMemory {
  const over = burst / Math.max(1, ready) >= PANIC_THRESHOLD;
  const panicking = memory.until > now;
  if (!over && !panicking) return CALM;
  return {
    until: over ? now + STABLE_SECONDS * 1000 : memory.until,
    count: Math.max(needed, ready, panicking ? memory.count : 0),
  };
}

function whyOf(
  seen: ScaleSeen,
  perInstance: number,
  mode: ScaleDecision['mode'],
  count: number,
): string {
  const now = `${seen.queued} waiting, ${seen.inFlight} running on ${seen.ready} ready`;
  const means = `mean ${formatFigure(seen.stable)} over ${STABLE_SECONDS} s, ${formatFigure(seen.panic)} over ${PANIC_SECONDS} s`;
  const per = `${formatFigure(perInstance)} for each instance`;
  const because = { cold: coldWords(seen.ready), panic: 'a burst', stable: 'steady' }[mode];
  return `the load needs ${formatCount(count)} (${because}): ${now}; ${means}; ${per}`;
}
