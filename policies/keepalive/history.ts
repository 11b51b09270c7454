import { AGE_CLASSES, type Bins } from './bins.ts';
import { NO_CONTEXT } from './pooled.ts';

/**
 * The second and third layer: what one model has shown. Its level, how much oftener than all models it is
 * asked (a Gamma–Poisson frailty, overall and by class of idle time), and its shape, which shows timers.
 */
export interface History {
  /** Idle times that ended. */
  gaps: number;
  /** The last and the one before, ms; NaN: none. */
  lastGap: number;
  gapBefore: number;
  context: number;
  /** By class of idle time: requests that came, and that all models' hazard made expect. */
  readonly observed: Float64Array;
  readonly expected: Float64Array;
  /** What the idle time that runs will add to `expected`. */
  readonly expectedNow: Float64Array;
  /** By bin, forgotten slowly. */
  readonly events: Float32Array;
  readonly atRisk: Float32Array;
  /** Level by class of idle time, as of the last idle time that ended. */
  readonly level: Float64Array;
  /** Since when it is idle, ms since the epoch, and the next bin to learn from; NaN: it is not. */
  idleSince: number;
  nextBin: number;
  /** Decayed counts of arrivals over 10 minutes, 1 hour, 24 hours, as of `countedAt`. */
  readonly recent: Float64Array;
  countedAt: number;
  /** How busy all models were when it became idle. */
  activity: number;
}

/** As many expected requests count as much as what was seen. */
const LEVEL_STRENGTH = 2;
const SHAPE_STRENGTH = 5;
/** What is remembered of the shape after each idle time: half of it after 69. */
const SHAPE_DECAY = 0.99;
/** How much of a request counts for the bin before, and for the one after: clocks are not exact. */
const SPREAD = 0.08;
export const RECENT_MS = [600_000, 3_600_000, 86_400_000] as const;

export function makeHistory(bins: Bins): History {
  return {
    gaps: 0,
    lastGap: Number.NaN,
    gapBefore: Number.NaN,
    context: NO_CONTEXT,
    observed: new Float64Array(AGE_CLASSES),
    expected: new Float64Array(AGE_CLASSES),
    expectedNow: new Float64Array(AGE_CLASSES),
    events: new Float32Array(bins.count),
    atRisk: new Float32Array(bins.count),
    level: new Float64Array(AGE_CLASSES).fill(1),
    idleSince: Number.NaN,
    nextBin: 0,
    recent: new Float64Array(RECENT_MS.length),
    countedAt: 0,
    activity: 0,
  };
}

/** An idle time has ended in this bin; `count` of the bins: after all of them. In place. */
export function learnGap(history: History, bins: Bins, bin: number): void {
  const { events, atRisk, observed, expected, expectedNow } = history;
  for (let each = 0; each < bins.count; each++) {
    events[each]! *= SHAPE_DECAY;
    atRisk[each]! *= SHAPE_DECAY;
    if (each < bin) atRisk[each]! += 1;
  }
  if (bin < bins.count) {
    observed[bins.ageClass[bin]!]! += 1;
    learnShape(history, bins, bin);
  }
  for (let each = 0; each < AGE_CLASSES; each++) expected[each]! += expectedNow[each]!;
  expectedNow.fill(0);
  learnLevel(history);
}

/** A little of the request came a bin earlier or later; who has come is at risk no more. */
function learnShape({ events, atRisk }: History, bins: Bins, bin: number): void {
  const before = bin > 0 ? SPREAD : 0;
  const after = bin + 1 < bins.count ? SPREAD : 0;
  if (before > 0) events[bin - 1]! += before;
  events[bin]! += 1 - before - after;
  atRisk[bin]! += 1 - before;
  if (after === 0) return;
  events[bin + 1]! += after;
  atRisk[bin + 1]! += after;
}

function learnLevel({ observed, expected, level }: History): void {
  const seen = observed.reduce((sum, value) => sum + value, 0);
  const due = expected.reduce((sum, value) => sum + value, 0);
  const overall = (seen + LEVEL_STRENGTH) / (due + LEVEL_STRENGTH);
  for (let each = 0; each < AGE_CLASSES; each++) {
    const own = (observed[each]! + LEVEL_STRENGTH) / (expected[each]! * overall + LEVEL_STRENGTH);
    level[each] = own * overall;
  }
}

/** All models' hazard, at this model's level. */
export function levelHazard(history: History, ageClass: number, pooled: number): number {
  return -Math.expm1(history.level[ageClass]! * Math.log1p(-pooled));
}

/** That, and what this model itself has shown in this bin. */
export function shapeHazard({ events, atRisk }: History, bin: number, level: number): number {
  return (events[bin]! + SHAPE_STRENGTH * level) / (atRisk[bin]! + SHAPE_STRENGTH);
}

/** One more arrival, or none: brings the decayed counts to `now`. In place. */
export function countArrivals(history: History, now: number, arrivals: number): void {
  const passed = now - history.countedAt;
  RECENT_MS.forEach((span, index) => {
    history.recent[index] = history.recent[index]! * Math.exp(-passed / span) + arrivals;
  });
  history.countedAt = now;
}
