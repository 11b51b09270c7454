import type { Cold } from './wake.ts';

/** What a row is measured against, in words, and whether it is met. */
export interface Goal {
  readonly words: string;
  readonly isMet: boolean;
}

/** All that a platform may add to what the bare loop takes; ms. */
const OVERHEAD_P50 = 3;
const OVERHEAD_P95 = 10;
/** All that a start from the pool may take beside loading the model; ms. */
const BESIDE_LOAD = 5;
const THAW = 3;
const PAGED_IN = 1.1;

/** Undefined: nothing was set as a goal. */
export function goalOf({ row, rouse, floor, overhead, apart, loadMs }: Cold): Goal | undefined {
  if (row === 'command' || row === 'python' || row === 'function') {
    const isMet = overhead.p50 <= OVERHEAD_P50 && apart.p95 <= OVERHEAD_P95;
    return { words: `overhead ≤ ${OVERHEAD_P50}, p95 less p95 ≤ ${OVERHEAD_P95}`, isMet };
  }
  if (row === 'function-pool' || row === 'onnx-pool') {
    const words = `own load + ${BESIDE_LOAD} in all`;
    return { words, isMet: rouse.p50 <= loadMs.median + BESIDE_LOAD };
  }
  if (row.endsWith('-parked')) return { words: `≤ ${THAW} in all`, isMet: rouse.p50 <= THAW };
  if (row.endsWith('-paged')) {
    return { words: `≤ ${PAGED_IN} × bare`, isMet: rouse.p50 <= PAGED_IN * floor.p50 };
  }
  return undefined;
}

export function formatGoal(goal: Goal | undefined): string {
  return goal ? `${goal.words}: ${goal.isMet ? 'yes' : 'no'}` : '';
}
