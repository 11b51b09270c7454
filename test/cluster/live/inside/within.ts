import { setTimeout as delay } from 'node:timers/promises';

/**
 * What a cluster does may take minutes: an autoscaler that was killed holds its lease for one, and all who watch an
 * API server wait up to half of one before they come back.
 */
export const PATIENCE_MS = 240_000;
const STEP_MS = 100;

/** Asks again until it holds. */
export async function untilCluster(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const last = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > last) throw new Error(`waited in vain: ${what}`);
    await delay(STEP_MS);
  }
}
