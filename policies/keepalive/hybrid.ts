import type { Plan } from './plan.ts';

/**
 * The hybrid histogram of Shahrad et al., "Serverless in the Wild", USENIX ATC 2020: a histogram of idle
 * times per model tells when to unload and when to load again. Here to compare with.
 *
 * Where the paper fits an ARIMA model to the idle times of a model that mostly idles for longer than the
 * histogram reaches, this is its simplest case, a regression of each on the one before: with a handful of
 * such times there is nothing to fit more to.
 */

const MINUTE_MS = 60_000;
/** The histogram reaches four hours, in bins of a minute; so long is also kept what is not understood. */
const HYBRID_BINS = 240;
/** Below this coefficient of variation of the bins' counts the histogram shows no pattern. */
const REPRESENTATIVE_VARIATION = 2;
/** From this share of idle times beyond the histogram on, they are forecast one by one. */
const OUT_OF_BOUNDS = 0.5;
const HEAD_PERCENTILE = 0.05;
const TAIL_PERCENTILE = 0.99;
/** Loaded a little earlier, kept a little longer than the percentiles say. */
const MARGIN = 0.1;
const FORECAST_LEAD = 0.85;
const FORECAST_KEEP = 0.3;
/** A slope through fewer points says nothing: their mean is taken. */
const LEAST_TO_REGRESS = 4;

export interface HybridMemory {
  /** How many idle times ended in each minute. */
  readonly counts: Uint32Array;
  /** All idle times, those beyond the histogram included. */
  readonly total: number;
  /** Those beyond the histogram, in ms, in order. */
  readonly beyond: readonly number[];
}

export function makeHybridMemory(): HybridMemory {
  return { counts: new Uint32Array(HYBRID_BINS), total: 0, beyond: [] };
}

/** With one more idle time, in ms. The counts are changed in place. */
export function learnHybrid(memory: HybridMemory, idle: number): HybridMemory {
  const bin = Math.max(0, Math.ceil(idle / MINUTE_MS) - 1);
  const total = memory.total + 1;
  if (bin >= HYBRID_BINS) return { ...memory, total, beyond: [...memory.beyond, idle] };
  memory.counts[bin]! += 1;
  return { ...memory, total };
}

export function makeHybridPlan({ counts, total, beyond }: HybridMemory): Plan {
  if (total > 0 && beyond.length >= OUT_OF_BOUNDS * total) return forecastPlan(beyond);
  const within = total - beyond.length;
  if (within === 0 || variationOf(counts, within) < REPRESENTATIVE_VARIATION) {
    return [{ after: HYBRID_BINS * MINUTE_MS, state: 'cold' }];
  }
  const head = percentileBin(counts, within, HEAD_PERCENTILE);
  const tail = percentileBin(counts, within, TAIL_PERCENTILE) + 1;
  return window(head * (1 - MARGIN) * MINUTE_MS, tail * (1 + MARGIN) * MINUTE_MS);
}

/** Cold, hot from `load` until `unload`; hot from the beginning when it would be loaded at once. */
function window(load: number, unload: number): Plan {
  const end = { after: unload, state: 'cold' } as const;
  return load <= 0 ? [end] : [{ after: 0, state: 'cold' }, { after: load, state: 'hot' }, end];
}

function variationOf(counts: Uint32Array, sum: number): number {
  const mean = sum / counts.length;
  const squares = counts.reduce((total, count) => total + (count - mean) ** 2, 0);
  return Math.sqrt(squares / counts.length) / mean;
}

function percentileBin(counts: Uint32Array, sum: number, share: number): number {
  let left = share * sum;
  return counts.findIndex((count) => (left -= count) <= 0 && count > 0);
}

function forecastPlan(beyond: readonly number[]): Plan {
  const next = forecast(beyond);
  const load = next * FORECAST_LEAD;
  return window(load, load + next * FORECAST_KEEP);
}

function forecast(values: readonly number[]): number {
  const mean = meanOf(values);
  if (values.length < LEAST_TO_REGRESS) return mean;
  const pairs = values.slice(1).map((value, index) => [values[index]!, value] as const);
  const [fromMean, toMean] = [meanOf(values.slice(0, -1)), meanOf(values.slice(1))];
  const variance = pairs.reduce((sum, [from]) => sum + (from - fromMean) ** 2, 0);
  const covariance = pairs.reduce((sum, [from, to]) => sum + (from - fromMean) * (to - toMean), 0);
  // A slope of 1 or more would let the forecast run away.
  const slope = variance === 0 ? 0 : Math.min(Math.max(covariance / variance, -1), 1);
  return Math.max(MINUTE_MS, toMean + slope * (values.at(-1)! - fromMean));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
