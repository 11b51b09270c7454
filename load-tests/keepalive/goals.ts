import type { TraceResult } from './evaluate.ts';

export interface Goal {
  readonly goal: string;
  /** All goals are ratios that are not to be exceeded. */
  readonly most: number;
  readonly reached: number;
}

interface Bounds {
  readonly hybrid: number;
  readonly tenMinutes: number;
  readonly frontier: number;
}

/** What was set before anything was measured here, by trace. */
const BOUNDS: Readonly<Record<string, Bounds>> = {
  A500: { hybrid: 0.85, tenMinutes: 0.35, frontier: 0.75 },
  A1350: { hybrid: 0.65, tenMinutes: 0.5, frontier: 1.15 },
};
const NO_HARM = 1.05;
/** Of the goals that are set for one trace only. */
const MAIN = 'A1350';
const ONLINE_COLD = 1.1;
const ONLINE_MEMORY = 0.1;
const CAPPED = 0.9;

export function checkGoals(traces: readonly TraceResult[]): Goal[] {
  return traces.flatMap((result) => [
    ...goalsAtEqualMemory(result),
    ...(result.trace === MAIN ? goalsOnline(result) : []),
  ]);
}

function goalsAtEqualMemory({ trace, equalMemory }: TraceResult): Goal[] {
  const { hybrid, tenMinutes, frontier } = BOUNDS[trace]!;
  const row = (name: string) => equalMemory.find(({ baseline }) => baseline === name)!;
  const fixed = equalMemory.filter(({ baseline }) => baseline.startsWith('fixed:'));
  const worst = Math.max(...fixed.map(({ ratio }) => ratio));
  return [
    {
      goal: `${trace}: cold starts / hybrid histogram's`,
      most: hybrid,
      reached: row('hybrid').ratio,
    },
    { goal: `${trace}: / fixed 10 minutes'`, most: tenMinutes, reached: row('fixed:10m').ratio },
    {
      goal: `${trace}: / clairvoyant frontier, at 10 minutes' memory`,
      most: frontier,
      reached: row('fixed:10m').toFrontier,
    },
    { goal: `${trace}: / any fixed time's, 1 to 240 minutes`, most: NO_HARM, reached: worst },
  ];
}

function goalsOnline({ trace, online, capped }: TraceResult): Goal[] {
  const worstCap = Math.max(...capped.map((row) => row.ratio));
  return [
    ...online.flatMap(({ budget, ratio, lateMemory }) => [
      {
        goal: `${trace}: price online for ${budget}, 2nd half, / bisected`,
        most: ONLINE_COLD,
        reached: ratio,
      },
      {
        goal: `${trace}: price online for ${budget}, 2nd half, memory off the budget`,
        most: ONLINE_MEMORY,
        reached: Math.abs(lateMemory - 1),
      },
    ]),
    { goal: `${trace}: under a cap of 15–50 %, / greedy-dual's`, most: CAPPED, reached: worstCap },
  ];
}
