import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { pause } from '#lib/pause.ts';

/** Until a disk that is full has been looked at. */
const AGAIN_MS = 1000;

/** Stores an outcome, again and again if need be: it is known nowhere else. Undefined: `closing` came first. */
export async function keepStoring<T>(
  store: () => Promise<T>,
  { id, closing, clock, log }: { id: string; closing: AbortSignal; clock: Clock; log: Log },
): Promise<T | undefined> {
  while (!closing.aborted) {
    try {
      return await store();
    } catch (error) {
      log.error({ id, error: messageOf(error) }, 'an outcome is not stored yet');
      await pause(clock, AGAIN_MS, closing);
    }
  }
  return undefined;
}
