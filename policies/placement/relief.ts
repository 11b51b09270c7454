import { formatSize } from '#domain/format-size.ts';
import { type Holder, lookAt } from './holders.ts';
import type { PlacementDecision } from './place.ts';
import { chooseIdle, chooseInUse } from './victims.ts';

/** Who goes when what runs was measured to take more than the budget: nobody waits for a turn to end then. */
export function decideRelief(
  seen: {
    readonly budget: number;
    /** As in `PlacementSeen`. */
    readonly used: number;
    readonly standby: number;
    readonly holders: readonly Holder[];
  },
  now: number,
): { decision: Pick<PlacementDecision, 'evict' | 'endStandby'> } {
  const { budget, used, standby, holders } = seen;
  const { coming, stuck } = lookAt(holders, now);
  const over = used - budget - coming - stuck;
  if (over <= 0) return { decision: { evict: [] } };
  const needs = `what runs has grown ${formatSize(over)} beyond ${formatSize(budget)}`;
  const idle = chooseIdle(holders, needs, over - standby, Infinity);
  const rest = over - standby - idle.reduce((sum, { bytes }) => sum + bytes, 0);
  const evict = [...idle, ...chooseInUse(holders, needs, rest, Infinity)];
  return { decision: { evict, ...(standby > 0 && { endStandby: true }) } };
}
