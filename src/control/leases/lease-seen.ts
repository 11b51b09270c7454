import type { PlaneSeen, SharedSeen } from '#policies/lease.ts';
import type { Shared } from './lease-book.ts';

/** What the policy is shown of the instances; `planes`: those that slots can be leased to. */
export function makeSharedSeen(
  instances: readonly Shared[],
  planes: readonly string[],
): SharedSeen[] {
  return instances.map((one) => {
    const holdings = planes.map((id) => one.holdings.get(id));
    return {
      capacity: one.capacity - heldBy(one, (id) => !planes.includes(id)),
      held: holdings.map((holding) => holding?.held ?? 0),
      recalled: holdings.map((holding) => (holding ? holding.held - holding.sent : 0)),
    };
  });
}

/** What one data plane may be using of all these. */
export function sumOf(
  instances: readonly Shared[],
  dataPlane: string,
  now: number,
): Pick<PlaneSeen, 'held' | 'heldMs'> {
  const holdings = instances.flatMap(({ holdings: all }) => all.get(dataPlane) ?? []);
  const newest = Math.max(...holdings.map(({ since }) => since));
  return {
    held: holdings.reduce((sum, { held }) => sum + held, 0),
    heldMs: now - newest,
  };
}

/** Slots of one instance that these data planes may be using. */
export function heldBy({ holdings }: Shared, counts: (dataPlane: string) => boolean): number {
  let sum = 0;
  for (const [id, { held }] of holdings) if (counts(id)) sum += held;
  return sum;
}
