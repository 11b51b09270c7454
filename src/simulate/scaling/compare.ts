import { type Autoscale, CONCURRENCY, type Outcome, simulate } from './run.ts';
import { createByConcurrency, createBySignals } from './autoscalers.ts';
import { SIGNALS_SPEC, TARGET_MS } from './chosen.ts';
import { MEASURED, type Shape, TUNING } from './shapes.ts';

/** Requests at once for each instance that are tried, from safe to cheap. */
const TRIED = [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 6, 8];
/** Windows that have to meet the target. */
export const GOAL = 0.99;

export interface ShapeRow {
  readonly shape: string;
  readonly byConcurrency: Outcome;
  readonly bySignals: Outcome;
}

export interface ScalingComparison {
  readonly rows: readonly ShapeRow[];
  readonly total: ShapeRow;
}

/** Of the targets up to the first that has too few good windows on the shapes for tuning, the cheapest. */
export function chooseTarget(): number {
  let best = { target: Number.NaN, cost: Infinity };
  for (const requests of TRIED) {
    const target = requests / CONCURRENCY;
    const all = addUp(TUNING.map((shape) => run(shape, createByConcurrency(target))));
    if (goodShare(all) < GOAL) break;
    if (all.instanceSeconds < best.cost) best = { target, cost: all.instanceSeconds };
  }
  return best.target;
}

/** How the signals do on the shapes that they were chosen on. */
export function tuneSignals(): Outcome {
  return addUp(TUNING.map((shape) => run(shape, createBySignals(SIGNALS_SPEC))));
}

/** Each shape with the requests of each seed. */
export function compareScaling(target: number, seeds: readonly number[]): ScalingComparison {
  const all = (shape: Shape, create: () => Autoscale): Outcome =>
    addUp(seeds.map((seed) => run(shape, create(), seed)));
  const rows = MEASURED.map((shape) => ({
    shape: shape.name,
    byConcurrency: all(shape, () => createByConcurrency(target)),
    bySignals: all(shape, () => createBySignals(SIGNALS_SPEC)),
  }));
  const total = {
    shape: 'all',
    byConcurrency: addUp(rows.map((row) => row.byConcurrency)),
    bySignals: addUp(rows.map((row) => row.bySignals)),
  };
  return { rows, total };
}

export function goodShare({ good, windows }: Outcome): number {
  return good / windows;
}

/** The same requests for both. */
function run(shape: Shape, autoscale: Autoscale, seed = 1): Outcome {
  return simulate(shape, autoscale, { targetMs: TARGET_MS, seed });
}

function addUp(outcomes: readonly Outcome[]): Outcome {
  const sum = { windows: 0, good: 0, instanceSeconds: 0, requests: 0 };
  for (const one of outcomes) {
    sum.windows += one.windows;
    sum.good += one.good;
    sum.instanceSeconds += one.instanceSeconds;
    sum.requests += one.requests;
  }
  return sum;
}
