import type { RolloutSpec } from '#domain/rollout.ts';
import type { Stratum, Values } from '#policies/rollout/difference.ts';
import type { Measures } from '#policies/rollout/judge.ts';

/** What was measured of a revision, minute by minute. */
export type ReadMeasure = (
  revision: string,
  name: string,
  since: number,
) => Promise<readonly (Values & { readonly minute: number })[]>;

/** Of all measures that the spec names, in the minutes in which both revisions have some. */
export async function readMeasures(
  read: ReadMeasure,
  { metrics }: RolloutSpec,
  { stable, canary, since }: { stable: string; canary: string; since: number },
): Promise<Measures> {
  const found = new Map<string, readonly Stratum[]>();
  for (const metric of metrics) {
    if (metric.metric !== 'custom') continue;
    const { measure: name } = metric;
    const [before, after] = await Promise.all([
      read(stable, name, since),
      read(canary, name, since),
    ]);
    const byMinute = new Map(before.map((values) => [values.minute, values]));
    const strata = after.flatMap((values) => {
      const same = byMinute.get(values.minute);
      return same ? [{ stable: same, canary: values }] : [];
    });
    found.set(name, strata);
  }
  return found;
}
