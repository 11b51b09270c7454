import { parseCron } from '#domain/cron.ts';
import type { SelectionSpec } from '#domain/selection.ts';

/** Each minute, as measures are stored. */
const EVERY_MS = 60_000;
/** A day is what `periodicBest` compares over. */
const EACH_DAY = '@daily';

/** When it is decided after `last`, ms since the epoch; undefined: never, as with `manual`. */
export function nextLook(spec: SelectionSpec, last: number): number | undefined {
  if (spec.strategy === 'manual') return undefined;
  const { strategy, schedule } = spec;
  if (schedule?.every !== undefined) return last + schedule.every;
  const cron = schedule?.cron ?? (strategy === 'periodicBest' ? EACH_DAY : undefined);
  if (cron === undefined) return last + EVERY_MS;
  return parseCron(cron, schedule?.timeZone ?? 'UTC').nextRun(last);
}
