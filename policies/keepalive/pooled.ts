import { type Bins, classOf } from './bins.ts';

/**
 * The first layer: what all models together say. How likely does the next request come in this bin of idle
 * time, given that it has not come before: by the class of the idle time before, shrunk to that of all classes,
 * shrunk to a prior.
 */
export interface Pooled {
  /** By class and bin; the last row counts all classes. */
  readonly events: Float64Array;
  readonly atRisk: Float64Array;
  /** By bin: what is believed before anything is seen. */
  readonly prior: Float64Array;
}

const MINUTE_MS = 60_000;
/** Ends of the classes of the previous idle time, in minutes; the last is open. */
const CONTEXT_ENDS = [1, 5, 15, 60, 240];
/** The class of a model that has had no idle time. */
export const NO_CONTEXT = CONTEXT_ENDS.length + 1;
const CONTEXTS = NO_CONTEXT + 1;
/** As many idle times of all classes count as much as those of the class itself. */
const CONTEXT_STRENGTH = 20;
const PRIOR_STRENGTH = 8;
/** The prior hazard for each doubling of the idle time: what comes has mostly come soon. */
const PRIOR_PER_DOUBLING = 0.15;
const MOST_PRIOR = 0.5;

export function makePooled(bins: Bins): Pooled {
  const prior = bins.to.map((to, bin) => {
    const doublings = Math.log2((to / MINUTE_MS + 1) / (bins.from[bin]! / MINUTE_MS + 1));
    return Math.min(MOST_PRIOR, PRIOR_PER_DOUBLING * doublings);
  });
  const size = (CONTEXTS + 1) * bins.count;
  return { events: new Float64Array(size), atRisk: new Float64Array(size), prior };
}

export function contextOf(previousIdle: number): number {
  return classOf(CONTEXT_ENDS, previousIdle / MINUTE_MS);
}

/** One model was at risk in this bin: the request came in it, or not. In place. */
export function learnPooled(pooled: Pooled, context: number, bin: number, came: boolean): void {
  const { events, atRisk, prior } = pooled;
  const own = context * prior.length + bin;
  const all = CONTEXTS * prior.length + bin;
  atRisk[own]! += 1;
  atRisk[all]! += 1;
  if (!came) return;
  events[own]! += 1;
  events[all]! += 1;
}

export function pooledHazard(pooled: Pooled, context: number, bin: number): number {
  const { events, atRisk, prior } = pooled;
  const own = context * prior.length + bin;
  const all = CONTEXTS * prior.length + bin;
  const overall = (events[all]! + PRIOR_STRENGTH * prior[bin]!) / (atRisk[all]! + PRIOR_STRENGTH);
  return (events[own]! + CONTEXT_STRENGTH * overall) / (atRisk[own]! + CONTEXT_STRENGTH);
}
