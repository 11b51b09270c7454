import { z } from 'zod';
import type { Clock } from '#lib/clock.ts';

const MINUTE_MS = 60_000;
export const DAY_MINUTES = 24 * 60;

/** Of a query. */
export const minute = z.coerce
  .number()
  .int()
  .min(0)
  .optional()
  .meta({ description: 'Minute since the epoch.' });

/** The last day, if not said otherwise. */
export function spanOf(
  query: { from?: number | undefined; to?: number | undefined },
  clock: Clock,
): { from: number; to: number } {
  const to = query.to ?? Math.floor(clock.now() / MINUTE_MS);
  return { from: query.from ?? to - DAY_MINUTES, to };
}
