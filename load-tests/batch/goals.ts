import type { Beside } from './beside.ts';
import type { Live } from './live.ts';
import type { Whole } from './whole.ts';

/** What is measured against what, and whether it is met. */
export interface Goal {
  readonly words: string;
  readonly value: number;
  readonly isMet: boolean;
}

const MIB = 2 ** 20;
const MEMORY_MIB = 300;
const THROUGHPUT = 0.9;
const SCALE = 0.05;
const P99 = 1.1;
const SHARE = 0.5;

export function goalsOf({
  whole,
  beside,
  live,
}: {
  readonly whole?: readonly Whole[];
  readonly beside?: readonly Beside[];
  readonly live?: Live;
}): Goal[] {
  const goals: Goal[] = [];
  const add = (words: string, value: number, isMet: boolean): void =>
    void goals.push({ words, value, isMet });
  const [small, large] = whole ?? [];
  if (small && large) {
    const memory = large.memory.pssBytes / MIB;
    const scale = large.rowsPerSecond / small.rowsPerSecond;
    add(`memory, proportional ≤ ${MEMORY_MIB} MiB`, memory, memory <= MEMORY_MIB);
    add('rows/s of the larger job / of the smaller', scale, Math.abs(scale - 1) <= SCALE);
  }
  // Where none is left over, it is how the processors are shared that is measured, not whether instances are kept busy.
  const spared = beside?.find(({ spare }) => spare > 0);
  if (spared) {
    const { median } = spared.ratio;
    const words = `rows/s / tight loop's, a processor left over, ≥ ${THROUGHPUT}`;
    add(words, median, median >= THROUGHPUT);
  }
  if (live) {
    const { median } = live.ratio;
    add(`p99 of callers with the job / without ≤ ${P99}`, median, median <= P99);
  }
  // On as many instances as the one beside callers.
  const alone = beside?.at(-1);
  if (live && alone) {
    const share = shareOf(live, alone);
    const isMet = live.leftOver.median > 0 && share >= SHARE;
    add(`share of what was left over ≥ ${SHARE}`, share, isMet);
  }
  return goals;
}

/** Of the rows that the job would score with the processors' time that callers leave, it scored so many. */
function shareOf({ jobRowsPerSecond, leftOver }: Live, { job }: Beside): number {
  return jobRowsPerSecond.median / (job.rowsPerSecond.median * leftOver.median);
}
