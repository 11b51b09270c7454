import type { Account } from '#simulate/account.ts';
import type { Trace } from '#simulate/trace.ts';
import { createRandom } from '#test/fuzz/random.ts';

const RESAMPLES = 1000;
const SEED = 1;

/** 95 % interval of the ratio of two policies' cold starts, over which models the trace might have had instead. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** `groups`: models that are to be drawn together, such as rows that occur twice. */
export function bootstrapRatio(
  groups: readonly (readonly number[])[],
  ours: Account,
  theirs: Account,
): Interval {
  const sums = groups.map((models) => ({
    ours: models.reduce((sum, model) => sum + ours.cold[model]!, 0),
    theirs: models.reduce((sum, model) => sum + theirs.cold[model]!, 0),
  }));
  const random = createRandom(SEED, 0);
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const drawn = { ours: 0, theirs: 0 };
    for (let draw = 0; draw < sums.length; draw++) {
      const one = random.pick(sums);
      drawn.ours += one.ours;
      drawn.theirs += one.theirs;
    }
    return drawn.ours / drawn.theirs;
  }).toSorted((a, b) => a - b);
  return { low: ratios[RESAMPLES * 0.025]!, high: ratios[RESAMPLES * 0.975]! };
}

/** Models with the very same arrivals are one row of the original, sampled more than once. */
export function groupTwins({ models, at, model }: Trace): number[][] {
  const arrivals = models.map((): number[] => []);
  model.forEach((index, row) => void arrivals[index]!.push(at[row]!));
  const groups = Map.groupBy(arrivals.keys(), (index) => arrivals[index]!.join(','));
  return [...groups.values()];
}
